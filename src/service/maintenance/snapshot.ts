import { createHash } from 'node:crypto'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { SnapshotResponseSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { SnapshotSize } from '../../store/snapshot.ts'
import type { Identity, KeyValue } from '../../store/types.ts'
import { ETCD_CLUSTER_VERSION } from '../../version.ts'

/*
 * The format, version 1 (docs/snapshot-format.md). Integers are big-endian.
 *
 *   header   "edgetcd snapshot" | format version 8 | cluster id 8 | member id 8 | revision 8 | compact revision 8
 *            | leases 8 | keys 8
 *   lease    id 8 | granted TTL in seconds 8                                               by ascending id
 *   key      length of the key 4 | length of the value 4 | create revision 8 | mod revision 8 | version 8 | lease 8
 *            | key | value                                                                 in key order
 *   padding  zeros, to a multiple of 512
 */
const MAGIC = new TextEncoder().encode('edgetcd snapshot')
const FORMAT_VERSION = 1n
const HEADER_BYTES = 72
const LEASE_BYTES = 16
const KEY_OVERHEAD_BYTES = 40

/** etcd's tools believe a file to have its digest when it is this much longer than a number of such blocks. */
const BLOCK_BYTES = 512

export interface SnapshotSource {
  identity(): Promise<Identity>
  /** Chooses the moment. */
  size(): Promise<SnapshotSize>
  /** All keys as they were at the revision, in key order. */
  keys(revision: bigint): AsyncIterable<KeyValue>
}

type Piece = MessageInitShape<typeof SnapshotResponseSchema>

/**
 * The store at its present revision, in pieces as etcd sends them: 32 KiB each, with the number of bytes that are still to
 * come, then one more with the SHA-256 of all. Keys are read as the pieces are taken. Fails with `Compacted` when the
 * revision is compacted meanwhile: whoever has no digest has no snapshot.
 */
export async function* snapshotPieces(store: SnapshotSource): AsyncGenerator<Piece> {
  const identity = await store.identity()
  const size = await store.size()
  const contentBytes =
    BigInt(HEADER_BYTES + size.leases.length) + size.keys * BigInt(KEY_OVERHEAD_BYTES) + size.bytes
  const padding = new Uint8Array(Number(-contentBytes & BigInt(BLOCK_BYTES - 1)))
  let remainingBytes = contentBytes + BigInt(padding.length)
  const digest = createHash('sha256')
  for await (const blob of pieces(parts(store, identity, size, padding))) {
    digest.update(blob)
    remainingBytes -= BigInt(blob.length)
    yield { remainingBytes, blob, version: ETCD_CLUSTER_VERSION }
  }
  if (remainingBytes !== 0n) throw new Error(`a snapshot ended ${remainingBytes} bytes before its size`)
  yield { blob: digest.digest(), version: ETCD_CLUSTER_VERSION }
}

async function* parts(
  source: SnapshotSource,
  identity: Identity,
  size: SnapshotSize,
  padding: Uint8Array,
): AsyncGenerator<Uint8Array> {
  yield headerBytes(identity, size)
  yield size.leases
  for await (const kv of source.keys(size.head.revision)) yield keyBytes(kv)
  yield padding
}

/** Cuts what comes in parts of any size into pieces of the same size; only the last may be smaller. */
async function* pieces(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let piece = new Uint8Array(LIMITS.snapshotPieceBytes)
  let filled = 0
  for await (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const taken = part.subarray(at, at + piece.length - filled)
      piece.set(taken, filled)
      at += taken.length
      filled += taken.length
      if (filled < piece.length) continue
      yield piece
      piece = new Uint8Array(LIMITS.snapshotPieceBytes)
      filled = 0
    }
  }
  if (filled > 0) yield piece.subarray(0, filled)
}

function headerBytes({ clusterId, memberId }: Identity, { head, keys, leases }: SnapshotSize): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  bytes.set(MAGIC)
  const leaseCount = BigInt(leases.length / LEASE_BYTES)
  const numbers = [FORMAT_VERSION, clusterId, memberId, head.revision, head.compactRevision, leaseCount, keys]
  setInt64s(bytes, MAGIC.length, numbers)
  return bytes
}

function keyBytes({ key, value, createRevision, modRevision, version, lease }: KeyValue): Uint8Array {
  const bytes = new Uint8Array(KEY_OVERHEAD_BYTES + key.length + value.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, key.length)
  view.setUint32(4, value.length)
  setInt64s(bytes, 8, [createRevision, modRevision, version, lease])
  bytes.set(key, KEY_OVERHEAD_BYTES)
  bytes.set(value, KEY_OVERHEAD_BYTES + key.length)
  return bytes
}

function setInt64s(bytes: Uint8Array, at: number, numbers: readonly bigint[]): void {
  const view = new DataView(bytes.buffer)
  for (const [i, number] of numbers.entries()) view.setBigInt64(at + 8 * i, number)
}
