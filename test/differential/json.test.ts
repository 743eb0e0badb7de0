import type { DescMessage } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as rpc from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { messageTable } from '../../src/etcd/message-table.ts'
import { arbitraryBody } from '../../src/gateway/json/arbitrary-bodies.ts'
import { decodeJson } from '../../src/gateway/json/index.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../support/etcd.ts'
import { chosenSeed } from '../support/random.ts'

/** EDGETCD_SEED replays what a failure printed; EDGETCD_BODIES is how many are sent to each path. */
const seed = chosenSeed()
const numRuns = Number(process.env.EDGETCD_BODIES ?? 500)

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)

const PATHS: readonly (readonly [path: string, schema: DescMessage])[] = [
  ['/v3/kv/range', rpc.RangeRequestSchema],
  ['/v3/kv/put', rpc.PutRequestSchema],
  ['/v3/kv/deleterange', rpc.DeleteRangeRequestSchema],
  ['/v3/kv/txn', rpc.TxnRequestSchema],
  ['/v3/lease/grant', rpc.LeaseGrantRequestSchema],
  ['/v3/cluster/member/remove', rpc.MemberRemoveRequestSchema],
  ['/v3/auth/user/grant', rpc.AuthUserGrantRoleRequestSchema],
  ['/v3/auth/role/grant', rpc.AuthRoleGrantPermissionRequestSchema],
]

/** What only the reading of a body can complain of; anything else was read. */
const PARSE_ERROR = /^(proto: |invalid character |unexpected EOF$)/

/** etcd's complaint about a body, or undefined if it read it. Go may write a no-break space after `proto:`. */
async function complaintOfEtcd(url: string, body: Uint8Array): Promise<string | undefined> {
  const answer = await fetch(url, { method: 'POST', body: new Uint8Array(body) })
  const { message = '' } = (await answer.json()) as { message?: string }
  const plain = message.replace(/^proto:\u00a0/, 'proto: ')
  if (!PARSE_ERROR.test(plain)) return undefined
  expect(answer.status).toBe(400)
  return plain
}

function ourComplaint(schema: DescMessage, body: Uint8Array): string | undefined {
  try {
    decodeJson(schema, body)
    return undefined
  } catch (error) {
    expect(error).toMatchObject({ name: 'EtcdError', code: 3 })
    return (error as Error).message
  }
}

describe.skipIf('missing' in etcd)(`etcd and we complain alike about bodies (seed ${seed})`, () => {
  let server: GatewayServer
  beforeAll(async () => {
    server = await startEtcd('path' in etcd ? etcd.path : '')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it.each(PATHS)('%s', { timeout: 600_000 }, (path, schema) =>
    fc.assert(
      fc.asyncProperty(arbitraryBody(messageTable(schema)), async (body) => {
        expect(ourComplaint(schema, body)).toBe(await complaintOfEtcd(server.gateway.url + path, body))
      }),
      { seed, numRuns },
    ),
  )
})
