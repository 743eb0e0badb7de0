import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KeyValue } from '../../store/types.ts'
import { type SnapshotSource, snapshotPieces } from './snapshot.ts'

const identity = { clusterId: 7n, memberId: 8n, raftTerm: 2n }
const head = { revision: 9n, compactRevision: -1n, authVersion: 1n }

function storeOf(kvs: readonly KeyValue[], leases = new Uint8Array(0)): SnapshotSource {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
  return {
    identity: async () => identity,
    size: async () => ({ head, keys: BigInt(kvs.length), bytes: BigInt(bytes), leases }),
    async *keys() {
      yield* kvs
    },
  }
}

const keyValue: fc.Arbitrary<KeyValue> = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  value: fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.nat({ max: 100_000 }).map((length) => new Uint8Array(length).fill(length)),
  ),
  createRevision: fc.bigInt({ min: 1n, max: 9n }),
  modRevision: fc.bigInt({ min: 1n, max: 9n }),
  version: fc.bigInt({ min: 1n, max: 2n ** 62n }),
  lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
})

/** Reads a snapshot as docs/snapshot-format.md describes it. */
function readSnapshot(file: Buffer) {
  const numbers = (at: number, count: number) =>
    Array.from({ length: count }, (_, i) => file.readBigInt64BE(at + 8 * i))
  expect(file.subarray(0, 16).toString()).toBe('edgetcd snapshot')
  const [format, clusterId, memberId, revision, compactRevision, leaseCount = 0n, keyCount = 0n] = numbers(
    16,
    7,
  )
  let at = 72
  const leases: bigint[][] = []
  for (; leases.length < Number(leaseCount); at += 16) leases.push(numbers(at, 2))
  const kvs: KeyValue[] = []
  while (kvs.length < Number(keyCount)) {
    const [keyLength, valueLength] = [file.readUInt32BE(at), file.readUInt32BE(at + 4)]
    const [createRevision = 0n, modRevision = 0n, version = 0n, lease = 0n] = numbers(at + 8, 4)
    const keyAt = at + 40
    const valueAt = keyAt + keyLength
    at = valueAt + valueLength
    const key = Uint8Array.from(file.subarray(keyAt, valueAt))
    const value = Uint8Array.from(file.subarray(valueAt, at))
    kvs.push({ key, value, createRevision, modRevision, version, lease })
  }
  expect(file.length % 512).toBe(0)
  expect(file.subarray(at)).toEqual(Buffer.alloc(-at & 511))
  return { format, clusterId, memberId, revision, compactRevision, leases, kvs }
}

async function take(store: SnapshotSource) {
  const pieces = []
  for await (const { blob, remainingBytes, version } of snapshotPieces(store)) {
    expect(version).toBe('3.6.0')
    pieces.push({ blob: Buffer.from(blob ?? []), remainingBytes: remainingBytes ?? 0n })
  }
  const digest = pieces.pop()
  return { pieces, digest, file: Buffer.concat(pieces.map(({ blob }) => blob)) }
}

test('a snapshot is whole, in pieces of 32 KiB that say what is to come, and ends with its digest', async () => {
  const numRuns = {
    numRuns: 40,
    ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }),
  }
  await fc.assert(
    fc.asyncProperty(fc.array(keyValue, { maxLength: 12 }), async (kvs) => {
      const { pieces, digest, file } = await take(storeOf(kvs))
      expect(readSnapshot(file).kvs).toEqual(kvs)
      expect(digest?.blob).toEqual(createHash('sha256').update(file).digest())
      let remaining = BigInt(file.length)
      for (const [i, { blob, remainingBytes }] of pieces.entries()) {
        if (i < pieces.length - 1) expect(blob.length).toBe(32_768)
        remaining -= BigInt(blob.length)
        expect(remainingBytes).toBe(remaining)
      }
    }),
    numRuns,
  )
})

test('a snapshot says which store it is of, and has its leases', async () => {
  const leases = new Uint8Array(Buffer.from('00000000000000070000000000000064', 'hex'))
  const { file } = await take(storeOf([], leases))
  expect(readSnapshot(file)).toEqual({
    format: 1n,
    clusterId: 7n,
    memberId: 8n,
    revision: 9n,
    compactRevision: -1n,
    leases: [[7n, 100n]],
    kvs: [],
  })
})

test('a snapshot that fails on the way has no digest', async () => {
  const source = storeOf([])
  async function* keys(): AsyncGenerator<KeyValue> {
    yield* []
    throw new Error('compacted')
  }
  await expect(take({ ...source, keys })).rejects.toThrow('compacted')
})
