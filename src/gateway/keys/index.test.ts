import { expect, it } from 'vitest'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import type { PutRequest, TxnRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { fakeContext, fakeServices, type SomeServices } from '../testing/fake-services.ts'
import { fetchApp } from '../testing/fetch-app.ts'

const header = { revision: 9n }
const kv = {
  key: new Uint8Array([97]),
  value: new Uint8Array([98]),
  createRevision: 4n,
  modRevision: 5n,
  version: 2n,
}

async function ask(services: NonNullable<SomeServices['kv']>, init: RequestInit, target = '/keys/a') {
  const context = fakeContext({ services: fakeServices({ kv: services }) })
  return await fetchApp(target, init, context)
}

it('the token goes with every call, and what was read for one is kept by none', async () => {
  const tokens: (string | undefined)[] = []
  const services: NonNullable<SomeServices['kv']> = {
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
  const services: NonNullable<SomeServices['kv']> = {
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
  const services: NonNullable<SomeServices['kv']> = {
    range: async () => {
      throw refused
    },
  }
  const answer = await ask(services, { headers: { Authorization: 'x' } })
  expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, refused.message])
  expect(answer.headers.get('cache-control')).toBe('no-store')
})

const PARAMETERS = 'there are key, revision, prefix, limit, after; a question mark in a key is written %3F'
const ONLY_KEY = 'there are key; a question mark in a key is written %3F'
const NO_PREFIX = 'nothing deletes or puts by a prefix here: POST /v3/kv/deleterange deletes'
const TOKEN = 'the token goes into the Authorization header'

it.each<[string, string, Record<string, string>, string]>([
  ['GET', '/keys/a?x=1', {}, `unknown parameter "x"; ${PARAMETERS}`],
  ['PUT', '/keys/a?x=1', {}, `unknown parameter "x"; ${ONLY_KEY}`],
  ['DELETE', '/keys/a?prefix', {}, `unknown parameter "prefix"; ${NO_PREFIX}`],
  ['PUT', '/keys/a?prefix=true', {}, `unknown parameter "prefix"; ${NO_PREFIX}`],
  ['GET', '/keys/a?access_token=t', {}, `unknown parameter "access_token"; ${TOKEN}`],
  ['PUT', '/keys/a?lease=7', {}, 'unknown parameter "lease"; the lease goes into the Edgetcd-Lease header'],
  ['GET', '/keys/a?prefix=no', {}, 'invalid value for prefix: "no"'],
  ['PUT', '/keys/a', { 'Edgetcd-Lease': 'abc' }, 'invalid Edgetcd-Lease header: "abc" (a decimal lease id)'],
])('%s %s with %j says what to do instead', async (method, target, headers, message) => {
  const answer = await ask({}, { method, headers, ...(method === 'PUT' && { body: 'x' }) }, target)
  expect(answer.status).toBe(400)
  expect(await answer.json()).toEqual({ error: message, code: 3, message })
})

it.each(['prefix', 'prefix=', 'prefix=1', 'prefix=true'])('?%s asks for a list', async (query) => {
  const answer = await ask({ range: async () => ({ header, kvs: [kv] }) }, {}, `/keys/?${query}`)
  expect(await answer.json()).toMatchObject({ revision: '9', keys: [{ key: 'a' }] })
})

it('a request without a key says where it goes', async () => {
  const refuse = async () => {
    throw EtcdError.of('EmptyKey')
  }
  const answer = await ask({ range: refuse }, {}, '/keys/')
  expect(answer.status).toBe(400)
  const message = 'etcdserver: key is not provided; /keys/<key> is a key, and /keys/?prefix lists all'
  expect(await answer.json()).toEqual({ error: message, code: 3, message })
})

it('a value that is too large is told how large it may be', async () => {
  const txn = async () => {
    throw EtcdError.of('RequestTooLarge')
  }
  const answer = await ask({ txn }, { method: 'PUT', body: 'x' })
  expect(answer.status).toBe(413)
  const help = 'a value, with its key and some bytes around them, may have 1572864 (--max-request-bytes)'
  expect(await answer.json()).toMatchObject({ message: `etcdserver: request is too large; ${help}` })
})

it('a value may be as large as --max-request-bytes lets it', async () => {
  const messageBytesMax = 8 * 1024 * 1024
  const put = async (bytes: number) => {
    const sizes: number[] = []
    const txn: NonNullable<SomeServices['kv']>['txn'] = async ({ success }) => {
      const [first] = success
      if (first?.request.case === 'requestPut') sizes.push(first.request.value.value.length)
      throw denied
    }
    const context = fakeContext({ services: fakeServices({ kv: { txn } }), messageBytesMax })
    const { status } = await fetchApp('/keys/a', { method: 'PUT', body: new Uint8Array(bytes) }, context)
    return [status, sizes]
  }
  expect((await put(5_000_000))[1]).toEqual([5_000_000])
  expect(await put(2 * messageBytesMax + 1)).toEqual([413, []])
})
