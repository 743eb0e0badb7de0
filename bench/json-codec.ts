/**
 * What the JSON mapping costs: microseconds for one body decoded and one answer encoded, the best of several rounds.
 * Run by `npx node --experimental-transform-types bench/json-codec.ts`.
 */
import { create, fromJson, toJson } from '@bufbuild/protobuf'
import {
  PutRequestSchema,
  RangeRequestSchema,
  RangeResponseSchema,
  TxnRequestSchema,
} from '../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { messageTable } from '../src/etcd/message-table.ts'
import { decodeExact } from '../src/gateway/json/exact.ts'
import { decodeJson, encodeJson } from '../src/gateway/json/index.ts'

const ROUNDS = 7
const PER_ROUND = 5000

function measure(name: string, run: () => unknown): void {
  for (let i = 0; i < PER_ROUND; i++) run()
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    for (let i = 0; i < PER_ROUND; i++) run()
    best = Math.min(best, ((performance.now() - start) * 1000) / PER_ROUND)
  }
  console.log(`${best.toFixed(2).padStart(9)} µs  ${name}`)
}

const b64 = (text: string): string => Buffer.from(text).toString('base64')
const body = (json: unknown): Buffer => Buffer.from(JSON.stringify(json))
const put = body({
  key: b64('/registry/pods/default/web-1'),
  value: b64('x'.repeat(100)),
  lease: '7587862094534843001',
})
const range = body({ key: b64('/registry/pods/'), range_end: b64('/registry/pods0'), limit: 500 })
const txn = body({
  compare: [
    { key: b64('/registry/pods/default/web-1'), target: 'MOD', result: 'EQUAL', mod_revision: '1234567' },
  ],
  success: [{ request_put: { key: b64('/registry/pods/default/web-1'), value: b64('x'.repeat(100)) } }],
  failure: [{ request_range: { key: b64('/registry/pods/default/web-1') } }],
})
const readable = body({
  key: '/registry/pods/default/web-1',
  value: 'x'.repeat(100),
  lease: '7587862094534843001',
})
const document = JSON.stringify({ name: 'web-1', labels: { app: 'web' }, ports: [80, 443] })
const readableJson = body({ key: '/registry/pods/default/web-1', value: document })
const large = body({ key: b64('k'), value: b64('x'.repeat(100_000)) })
const answer = create(RangeResponseSchema, {
  header: {
    clusterId: 14841639068965178418n,
    memberId: 10276657743932975437n,
    revision: 1234567n,
    raftTerm: 3n,
  },
  count: 100n,
  kvs: Array.from({ length: 100 }, (_, i) => ({
    key: Buffer.from(`/registry/pods/default/web-${i}`),
    value: Buffer.from('x'.repeat(100)),
    createRevision: 1_000_000n + BigInt(i),
    modRevision: 1_200_000n + BigInt(i),
    version: 3n,
  })),
})

console.log(`node ${process.version}`)
measure('decode put (100 byte value, lease)', () => decodeJson(PutRequestSchema, put))
measure('decode range', () => decodeJson(RangeRequestSchema, range))
measure('decode txn (compare, put, range)', () => decodeJson(TxnRequestSchema, txn))
measure('decode put (100 kB value)', () => decodeJson(PutRequestSchema, large))
measure('decode put, exact reader', () => decodeExact(messageTable(PutRequestSchema), put))
measure('decode txn, exact reader', () => decodeExact(messageTable(TxnRequestSchema), txn))
measure('encode range answer, 100 keys of 100 bytes', () =>
  Buffer.byteLength(encodeJson(RangeResponseSchema, answer)),
)
measure('readable form: decode put (100 byte value, lease)', () =>
  decodeJson(PutRequestSchema, readable, 'utf8'),
)
measure('readable form: decode put of JSON, which has escapes', () =>
  decodeJson(PutRequestSchema, readableJson, 'utf8'),
)
measure('readable form: encode range answer, 100 keys of 100 bytes', () =>
  Buffer.byteLength(encodeJson(RangeResponseSchema, answer, 'utf8')),
)
measure('protobuf-es: decode put', () => fromJson(PutRequestSchema, JSON.parse(put.toString())))
measure('protobuf-es: encode range answer, 100 keys of 100 bytes', () =>
  Buffer.byteLength(JSON.stringify(toJson(RangeResponseSchema, answer, { useProtoFieldName: true }))),
)
