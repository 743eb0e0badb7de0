import { gzipSync } from 'node:zlib'
import type { DescMethod } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frame, type RawCall, RawClient } from '../../src/grpc/testing/raw-call.ts'
import { RPCS } from '../../src/rpc/rpcs.ts'
import { key, type Scene, setScene } from './scene.ts'

/** What is no message of any RPC: there is no such wire type. */
const garbage = Buffer.from([0x0f])
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024))

/** How a call of a method that has one request and one answer, one request and many answers, or many of both, is refused. */
interface Attack {
  readonly call: Omit<RawCall, 'path'>
  readonly refused: Readonly<
    Record<'unary' | 'server_streaming' | 'bidi_streaming', readonly [number, RegExp]>
  >
}
const everywhere = (code: number, message: RegExp): Attack['refused'] => ({
  unary: [code, message],
  server_streaming: [code, message],
  bidi_streaming: [code, message],
})
const UNREADABLE = /^grpc: failed to unmarshal the received message: /

const ATTACKS: Readonly<Record<string, Attack>> = {
  'no message': {
    call: { sent: [garbage] },
    refused: {
      unary: [2, /^EOF$/],
      server_streaming: [13, /^cardinality violation: received no request message/],
      // It is as if there were no request.
      bidi_streaming: [0, /^$/],
    },
  },
  'a message that is none': {
    call: { sent: [frame(garbage)] },
    refused: {
      unary: [13, /^grpc: error unmarshalling request: /],
      server_streaming: [13, UNREADABLE],
      bidi_streaming: [13, UNREADABLE],
    },
  },
  'a length beyond the limit, and nothing that follows': {
    call: { sent: [frame(garbage, 0, 2_097_153)], isOpen: true },
    refused: everywhere(8, /^grpc: received message larger than max \(2097153 vs. 2097152\)$/),
  },
  'a message that unpacks to 64 MB': {
    call: { sent: [frame(BOMB, 1)], headers: { 'grpc-encoding': 'gzip' } },
    refused: everywhere(8, /^grpc: received message after decompression larger than max 2097152$/),
  },
  'a message packed in a way that wasn’t told': {
    call: { sent: [frame(BOMB, 1)] },
    refused: everywhere(13, /^grpc: compressed flag set with identity or empty encoding$/),
  },
}
const CASES = Object.entries(ATTACKS)
  .flatMap(([what, attack]) => [...RPCS.keys()].map((method) => ({ what, method, ...attack })))
  // A watch without requests waits for them.
  .filter(({ method, what }) => method.name !== 'Watch' || what !== 'no message')

describe('over gRPC', () => {
  let scene: Scene
  let client: RawClient
  beforeAll(async () => {
    scene = await setScene()
    client = new RawClient(new URL(scene.here.url).host)
  })
  afterAll(async () => {
    client[Symbol.dispose]()
    await scene[Symbol.asyncDispose]()
  })

  it('what is no request of an RPC is refused by each, and changes nothing', async () => {
    const before = await scene.root('/v3/maintenance/hashkv', {})
    for (const { what, method, call, refused } of CASES) {
      const [grpc, message] = refused[kindOf(method)]
      const about = `${what}: ${method.parent.typeName}/${method.name}`
      const answer = await client.call({ path: `/${method.parent.typeName}/${method.name}`, ...call })
      expect.soft(answer, about).toEqual({ http: 200, grpc, message: expect.stringMatching(message) })
    }
    const after = await scene.root('/v3/maintenance/hashkv', {})
    expect(after.hash).toBe(before.hash)
    await scene.root('/v3/kv/range', key('a/x'))
  })
})

function kindOf({ methodKind }: DescMethod): keyof Attack['refused'] {
  if (methodKind === 'client_streaming') throw new Error('etcd has none')
  return methodKind
}
