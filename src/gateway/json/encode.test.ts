import { Buffer } from 'node:buffer'
import {
  create,
  type DescMessage,
  equals,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PermissionSchema } from '../../etcd/generated/authpb/auth_pb.ts'
import * as rpc from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { EventSchema } from '../../etcd/generated/mvccpb/kv_pb.ts'
import { messageTable } from '../../etcd/message-table.ts'
import { arbitraryBody } from './arbitrary-bodies.ts'
import { decodeJson, encodeJson } from './index.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** An initializer and the message made of it are written alike. */
function writes<O extends DescMessage>(schema: O, init: MessageInitShape<O>, json: string): void {
  expect(encodeJson(schema, init)).toBe(json)
  expect(encodeJson(schema, create(schema, init) as MessageInitShape<O>)).toBe(json)
}

it('etcd: a range answer has proto names, decimal strings and base64, in the order of the proto', () => {
  writes(
    rpc.RangeResponseSchema,
    {
      count: 1n,
      more: true,
      kvs: [
        {
          key: bytes('a'),
          value: bytes('>>>?'),
          createRevision: 2n,
          modRevision: 3n,
          version: 2n,
          lease: -1n,
        },
      ],
      header: { clusterId: 14841639068965178418n, memberId: 2n ** 64n - 1n, revision: 3n, raftTerm: 2n },
    },
    '{"header":{"cluster_id":"14841639068965178418","member_id":"18446744073709551615","revision":"3","raft_term":"2"},' +
      '"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2","value":"Pj4+Pw==","lease":"-1"}],' +
      '"more":true,"count":"1"}',
  )
})

it('etcd: what is zero or empty is left out, what is set but empty is {}', () => {
  writes(rpc.RangeResponseSchema, {}, '{}')
  writes(rpc.RangeResponseSchema, { kvs: [], more: false, count: 0n }, '{}')
  writes(
    rpc.RangeResponseSchema,
    { header: {}, kvs: [{}, { key: bytes('') }] },
    '{"header":{},"kvs":[{},{}]}',
  )
  writes(rpc.StatusResponseSchema, { version: '', errors: [], downgradeInfo: {} }, '{"downgradeInfo":{}}')
  writes(
    EventSchema,
    { type: 0, kv: { key: bytes('a'), modRevision: 4n } },
    '{"kv":{"key":"YQ==","mod_revision":"4"}}',
  )
  writes(PermissionSchema, { permType: 0, key: bytes('k') }, '{"key":"aw=="}')
})

it('etcd: the spellings of the proto stay as they are', () => {
  writes(
    rpc.LeaseTimeToLiveResponseSchema,
    { ID: 5n, TTL: -1n, grantedTTL: 60n },
    '{"ID":"5","TTL":"-1","grantedTTL":"60"}',
  )
  writes(
    rpc.MemberListResponseSchema,
    {
      members: [{ ID: 7n, name: 'a', peerURLs: ['http://p'], clientURLs: ['http://c', ''], isLearner: true }],
    },
    '{"members":[{"ID":"7","name":"a","peerURLs":["http://p"],"clientURLs":["http://c",""],"isLearner":true}]}',
  )
  writes(
    rpc.StatusResponseSchema,
    {
      dbSize: 1n,
      raftIndex: 2n,
      raftTerm: 3n,
      raftAppliedIndex: 4n,
      dbSizeInUse: 5n,
      storageVersion: '3.6.0',
      dbSizeQuota: 6n,
    },
    '{"dbSize":"1","raftIndex":"2","raftTerm":"3","raftAppliedIndex":"4","dbSizeInUse":"5","storageVersion":"3.6.0","dbSizeQuota":"6"}',
  )
})

it('etcd: a oneof shows its member even if it is zero or empty', () => {
  writes(
    rpc.TxnResponseSchema,
    {
      responses: [
        { response: { case: 'responsePut', value: {} } },
        { response: { case: 'responseTxn', value: { header: {}, succeeded: true } } },
        {},
        { response: { case: undefined } },
      ],
    },
    '{"responses":[{"response_put":{}},{"response_txn":{"header":{},"succeeded":true}},{},{}]}',
  )
  writes(rpc.CompareSchema, { targetUnion: { case: 'version', value: 0n } }, '{"version":"0"}')
  writes(rpc.CompareSchema, { targetUnion: { case: 'value', value: bytes('') } }, '{"value":""}')
})

it('etcd: enums by name, by number when unknown; uint32 as a number', () => {
  const unknown: number = 9
  writes(
    rpc.AlarmMemberSchema,
    { memberID: 1n, alarm: rpc.AlarmType.NOSPACE },
    '{"memberID":"1","alarm":"NOSPACE"}',
  )
  writes(rpc.AlarmMemberSchema, { alarm: unknown }, '{"alarm":9}')
  writes(
    rpc.HashKVResponseSchema,
    { hash: 2 ** 32 - 1, compactRevision: -1n },
    '{"hash":4294967295,"compact_revision":"-1"}',
  )
  writes(rpc.WatchCreateRequestSchema, { filters: [0, 1, unknown] }, '{"filters":["NOPUT","NODELETE",9]}')
})

it("etcd: strings have protojson's escapes, which leave HTML alone", () => {
  const name = '"\\/<>&\u0000\u0007\b\t\n\f\r\u001f\u007f\u0080\u2028é😀'
  const json = '{"roles":["\\"\\\\/<>&\\u0000\\u0007\\b\\t\\n\\f\\r\\u001f\u007f\u0080\u2028é😀"]}'
  writes(rpc.AuthUserGetResponseSchema, { roles: [name] }, json)
})

it('bytes of every length and owner are standard, padded base64', () => {
  for (const length of [0, 1, 2, 3, 47, 4095, 4096, 4097, 20_000]) {
    const pool = Buffer.alloc(length + 20, 0xfb)
    for (const value of [
      new Uint8Array(pool.buffer, pool.byteOffset + 7, length),
      pool.subarray(7, 7 + length),
    ]) {
      const text = Buffer.alloc(length, 0xfb).toString('base64')
      expect(encodeJson(rpc.SnapshotResponseSchema, { blob: value })).toBe(
        length ? `{"blob":"${text}"}` : '{}',
      )
    }
  }
})

it.each(
  [
    rpc.TxnRequestSchema,
    rpc.RangeResponseSchema,
    rpc.TxnResponseSchema,
    rpc.WatchResponseSchema,
    rpc.StatusResponseSchema,
  ].map((s) => [s.name, s]),
)('%s: what is written is read as the same message', (_, schema) => {
  fc.assert(
    fc.property(arbitraryBody(messageTable(schema)), (body) => {
      const message = decoded(schema, body)
      if (message === undefined) return
      const json = encodeJson(schema, message as MessageInitShape<typeof schema>)
      expect(equals(schema, decodeJson(schema, bytes(json)), message)).toBe(true)
      expect(JSON.parse(json)).toBeTypeOf('object')
    }),
  )
})

function decoded<I extends DescMessage>(schema: I, body: Uint8Array): MessageShape<I> | undefined {
  try {
    return decodeJson(schema, body)
  } catch {
    return undefined
  }
}
