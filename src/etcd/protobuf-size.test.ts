import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arbitraryBody } from '../gateway/json/arbitrary-bodies.ts'
import { decodeJson } from '../gateway/json/index.ts'
import * as rpc from './generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from './limits.ts'
import { messageTable } from './message-table.ts'
import { proposalSize } from './proposal-size.ts'
import { protobufSize, varintSize } from './protobuf-size.ts'

const { PutRequestSchema, TxnRequestSchema } = rpc

describe('the size of a message is that of its binary form', () => {
  it.each(
    [
      TxnRequestSchema,
      PutRequestSchema,
      rpc.WatchRequestSchema,
      rpc.StatusResponseSchema,
      rpc.HashKVResponseSchema,
    ].map((s) => [s.name, s]),
  )('%s', (_, schema) => {
    fc.assert(
      fc.property(arbitraryBody(messageTable(schema)), (body) => {
        let message: MessageInitShape<typeof schema>
        try {
          message = decodeJson(schema, body) as MessageInitShape<typeof schema>
        } catch {
          return
        }
        expect(protobufSize(schema, message)).toBe(toBinary(schema, create(schema, message)).length)
      }),
    )
  })

  it('for integers around every power of two', () => {
    for (let bits = 0n; bits < 64n; bits++) {
      for (const value of [2n ** bits - 1n, 2n ** bits, -(2n ** bits)]) {
        const message = { lease: BigInt.asIntN(64, value) }
        expect(protobufSize(PutRequestSchema, message)).toBe(
          toBinary(PutRequestSchema, create(PutRequestSchema, message)).length,
        )
      }
    }
    expect(varintSize(2n ** 64n - 1n)).toBe(10)
    expect(varintSize(2 ** 32 - 1)).toBe(5)
  })

  it('however deep it is nested', () => {
    const nested = `${'{"success":[{"request_txn":'.repeat(3333)}{}${'}]}'.repeat(3333)}`
    // etcd's own number for this request.
    expect(
      protobufSize(TxnRequestSchema, decodeJson(TxnRequestSchema, new TextEncoder().encode(nested))),
    ).toBe(21_117)
  })
})

describe('etcd: a request in its envelope', () => {
  const put = (bytes: number) => ({ key: new Uint8Array(3), value: new Uint8Array(bytes) })

  it('has 13 bytes of header without a user, and a tag and a length before it', () => {
    expect(proposalSize(PutRequestSchema, put(0))).toBe(13 + 2 + 5)
    expect(proposalSize(PutRequestSchema, put(0), { name: 'root', authRevision: 300n })).toBe(
      13 + 6 + 3 + 2 + 5,
    )
    expect(proposalSize(rpc.AuthRoleAddRequestSchema, { name: 'r' })).toBe(13 + 3 + 3)
  })

  it('may hold a value of 1572838 bytes under a key of 3, not one byte more', () => {
    expect(proposalSize(PutRequestSchema, put(1_572_838))).toBe(LIMITS.requestBytesMax)
  })
})
