import { expect, it } from 'vitest'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import type { PutRequest, TxnRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Services } from '../../service/services.ts'
import { fakeContext, fakeServices } from '../testing/fake-services.ts'
import { fetchApp } from '../testing/fetch-app.ts'

const header = { revision: 9n }
const kv = {
  key: new Uint8Array([97]),
  value: new Uint8Array([98]),
  createRevision: 4n,
  modRevision: 5n,
  version: 2n,
}

async function ask(services: Services['kv'], init: RequestInit, target = '/keys/a') {
  const context = fakeContext({ services: fakeServices({ kv: services }) })
  return await fetchApp(target, init, context)
}

it('the token goes with every call, and what was read for one is kept by none', async () => {
  const tokens: (string | undefined)[] = []
  const services: Services['kv'] = {
    range: async (_, { token }) => {
      tokens.push(token)
      return { header, kvs: [kv] }
    },
  }
  const headers = { Authorization: 'Bearer secret' }
  for (const target of ['/keys/a', '/keys/a?revision=5', '/keys/a?prefix', '/keys/a?prefix&revision=5']) {
    const answer = await ask(services, { headers }, target)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
  }
  expect(tokens).toEqual(Array(4).fill('secret'))
})

const denied = new EtcdError(GrpcCode.PermissionDenied, 'etcdserver: permission denied')

/** A store that nobody may read, and that some may write. */
function unreadable(mayWrite: boolean) {
  const asked: (TxnRequest | PutRequest)['$typeName'][] = []
  const refuse = (request: TxnRequest | PutRequest): never => {
    asked.push(request.$typeName)
    throw denied
  }
  const services: Services['kv'] = {
    txn: async (request) => refuse(request),
    put: async (request) => {
      if (!mayWrite) refuse(request)
      asked.push(request.$typeName)
      return { header }
    },
  }
  return { services, asked }
}

it('who may write and not read puts without conditions, and learns nothing of what was there', async () => {
  const { services, asked } = unreadable(true)
  const answer = await ask(services, { method: 'PUT', body: 'x' })
  expect([answer.status, answer.headers.get('etag')]).toEqual([204, '"9"'])
  expect(answer.headers.get('edgetcd-version')).toBeNull()
  expect(asked).toEqual(['etcdserverpb.TxnRequest', 'etcdserverpb.PutRequest'])
})

it.each<[Record<string, string>, boolean]>([
  [{}, false],
  [{ 'If-Match': '"5"' }, true],
  [{ 'If-None-Match': '*' }, true],
])('who may not is refused: with the conditions %j, may write: %s', async (headers, mayWrite) => {
  const answer = await ask(unreadable(mayWrite).services, { method: 'PUT', body: 'x', headers })
  expect(answer.status).toBe(403)
  expect(await answer.json()).toEqual({ error: denied.message, code: 7, message: denied.message })
})

it('an invalid token is refused as everywhere', async () => {
  const refused = new EtcdError(GrpcCode.Unauthenticated, 'etcdserver: invalid auth token')
  const services: Services['kv'] = {
    range: async () => {
      throw refused
    },
  }
  const answer = await ask(services, { headers: { Authorization: 'x' } })
  expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, refused.message])
  expect(answer.headers.get('cache-control')).toBe('no-store')
})
