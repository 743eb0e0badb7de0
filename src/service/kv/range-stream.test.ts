import { create, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { type RangeRequest, RangeRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KeyValue } from '../../store/types.ts'
import type { Access } from '../auth/access.ts'
import type { Caller } from '../auth/caller.ts'
import type { Call } from '../call.ts'
import { createKv } from './index.ts'
import { type RangeSource, rangeChunks } from './range-stream.ts'

const REVISION = 9n
const header = { clusterId: 1n, memberId: 2n, revision: REVISION, raftTerm: 2n }

const keyAt = (index: number): Uint8Array => Uint8Array.of(1, index)
const kvAt = (index: number): KeyValue => ({
  key: keyAt(index),
  createRevision: 2n,
  modRevision: 2n,
  version: 1n,
  lease: 0n,
  value: new Uint8Array(0),
})

/** A store of so many keys, read so many at a time. Whatever comes after the first part must be of its revision. */
function sourceOf(keys: number, perPart: number) {
  const asked: string[] = []
  const from = ({ key }: RangeRequest) => (key[0] === 0 ? 0 : (key[1] ?? 0) + (key.length > 2 ? 1 : 0))
  const source: RangeSource = {
    async range(request) {
      asked.push('range')
      const count = keys - from(request)
      const kvs = request.countOnly ? [] : [kvAt(from(request))]
      return { header, kvs, count: BigInt(count), more: false }
    },
    async part(request) {
      asked.push(`part of revision ${request.revision}`)
      const first = from(request)
      const most = request.limit > 0n ? Math.min(perPart, Number(request.limit)) : perPart
      const kvs = Array.from({ length: Math.min(most, keys - first) }, (_, i) => kvAt(first + i))
      const isLast = kvs.length < most
      const next = isLast ? undefined : Uint8Array.of(...keyAt(first + kvs.length - 1), 0)
      return { header, revision: REVISION, kvs, next }
    },
  }
  return { source, asked }
}

const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }
type Request = MessageInitShape<typeof RangeRequestSchema>
const request = (rest: Request = {}) => create(RangeRequestSchema, { ...ALL, ...rest } as Request)

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

it('the chunks are together what the range would have answered', async () => {
  const number = (max: number) => fc.integer({ min: 1, max })
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 20 }), number(7), fc.nat({ max: 25 }), async (keys, perPart, limit) => {
      const chunks = await collect(
        rangeChunks(request({ limit: BigInt(limit) }), sourceOf(keys, perPart).source),
      )
      const shown = limit === 0 ? keys : Math.min(keys, limit)
      expect(chunks.flatMap(({ kvs = [] }) => kvs)).toEqual(Array.from({ length: shown }, (_, i) => kvAt(i)))
      const [first, ...others] = chunks
      expect(first?.header).toEqual(header)
      for (const chunk of others) expect(chunk).not.toHaveProperty('header')
      for (const chunk of chunks.slice(0, -1)) {
        expect(chunk).not.toHaveProperty('count')
        expect(chunk.kvs).not.toHaveLength(0)
      }
      expect(chunks.at(-1)).toMatchObject({ count: BigInt(keys) })
      expect(chunks.at(-1)?.more ?? false).toBe(keys > shown)
    }),
  )
})

it('each part is read when the chunk before was taken, and is of the revision of the first', async () => {
  const { source, asked } = sourceOf(5, 2)
  const chunks = rangeChunks(request(), source)
  expect(asked).toEqual([])
  await chunks.next()
  expect(asked).toEqual(['part of revision 0'])
  await chunks.next()
  expect(asked).toEqual(['part of revision 0', 'part of revision 9'])
  await chunks.return()
  expect(asked).toHaveLength(2)
})

it('one key, and a count, are one chunk', async () => {
  const { source, asked } = sourceOf(5, 2)
  const one = request({ key: keyAt(3), rangeEnd: new Uint8Array(0) })
  expect(await collect(rangeChunks(one, source))).toMatchObject([{ header, kvs: [kvAt(3)] }])
  const counted = await collect(rangeChunks(request({ countOnly: true }), source))
  expect(counted).toMatchObject([{ header, count: 5n }])
  expect(asked).toEqual(['range', 'range'])
})

it.each([
  ['an empty key', { key: new Uint8Array(0), sortOrder: 2 }, GrpcCode.InvalidArgument],
  ['an unknown order', { sortOrder: 9, minModRevision: 1n }, GrpcCode.InvalidArgument],
  ['descending keys', { sortOrder: 2, minModRevision: 1n }, GrpcCode.Unimplemented],
  ['an order by value', { sortTarget: 4 }, GrpcCode.Unimplemented],
  ['a filter', { maxCreateRevision: 1n }, GrpcCode.Unimplemented],
])('etcd 3.7: %s is refused', async (_, rest, code) => {
  const { source, asked } = sourceOf(5, 2)
  const refused = await rangeChunks(request(rest as Request), source)
    .next()
    .catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(EtcdError)
  expect(refused).toMatchObject({ code })
  expect(asked).toEqual([])
})

it('etcd 3.7: ascending keys are no other order', async () => {
  const { source } = sourceOf(1, 2)
  expect(await collect(rangeChunks(request({ sortOrder: 1 }), source))).toHaveLength(1)
})

it('whoever was let in at the start may go on to the end, the count of what is beyond the limit too', async () => {
  const letIn: (Caller | undefined)[] = []
  const head = { revision: 7n, compactRevision: -1n, authVersion: 1n }
  const kvs = [kvAt(0), kvAt(1)]
  const store = {
    identity: async () => ({ clusterId: 1n, memberId: 2n, raftTerm: 2n }),
    rangePart: async () => ({ head, kvs, revision: 7n, next: keyAt(2) }),
    range: async () => ({ head, kvs: [], count: 5n, more: false }),
  }
  const caller = { store, mustRead() {} } as unknown as Caller
  const access = {
    as: (_: Call, work: (caller: Caller) => Promise<unknown>, before?: Caller) => {
      letIn.push(before)
      return work(caller)
    },
  } as unknown as Access
  const kv = createKv({ access, sweepSoon() {}, async sweep() {}, txnOpsMax: 128, requestBytesMax: 1024 })
  const limited = request({ limit: 2n })
  const chunks = await collect(kv.rangeInChunks(limited, { signal: new AbortController().signal }))
  expect(chunks.at(-1)).toMatchObject({ count: 7n, more: true })
  expect(letIn).toEqual([undefined, caller])
})
