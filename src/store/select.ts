import {
  type RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KeyValue } from './types.ts'

/**
 * What a Range does to the keys of its interval, as etcd's executeRange does it. A plain Range has SQL do the same
 * (statements/range-sorted.sql); inside a transaction it is done here, on the rows of the RANGE instruction.
 */

/** Whether revision filters are on. 0 is off; a negative maximum matches nothing. */
export function hasFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0n ||
    request.maxModRevision !== 0n ||
    request.minCreateRevision !== 0n ||
    request.maxCreateRevision !== 0n
  )
}

/** Whether the answer is in another order than by ascending key. */
export function isSorted(request: RangeRequest): boolean {
  return request.sortTarget !== SortTarget.KEY || request.sortOrder === SortOrder.DESCEND
}

/**
 * The limit when etcd applies it before sorting: with a sort target but no order it sorts (ascending) only the first
 * keys, one more than the limit; that is etcd's, however odd. Undefined: all keys are read first.
 */
export function limitBeforeSort(request: RangeRequest): bigint | undefined {
  if (request.limit <= 0n || request.sortOrder !== SortOrder.NONE || hasFilters(request)) return undefined
  return boundedLimit(request)
}

/** No store has as many keys: one more than the limit is still an int64. */
const LIMIT_MAX = 2n ** 62n

/** A positive limit, as SQL can count one above it. */
export function boundedLimit({ limit }: RangeRequest): bigint {
  return limit > LIMIT_MAX ? LIMIT_MAX : limit
}

/** Whether the values must be read: for the answer, or to sort by them. */
export function needsValues(request: RangeRequest): boolean {
  return !request.countOnly && (!request.keysOnly || request.sortTarget === SortTarget.VALUE)
}

/** Byte-wise order, as PostgreSQL's and etcd's. Buffer.compare takes several times as long for keys as short as most. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const compareInt64 = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

function compareBy(target: SortTarget): (a: KeyValue, b: KeyValue) => number {
  switch (target) {
    case SortTarget.KEY:
      return (a, b) => compareBytes(a.key, b.key)
    case SortTarget.VERSION:
      return (a, b) => compareInt64(a.version, b.version)
    case SortTarget.CREATE:
      return (a, b) => compareInt64(a.createRevision, b.createRevision)
    case SortTarget.MOD:
      return (a, b) => compareInt64(a.modRevision, b.modRevision)
    case SortTarget.VALUE:
      return (a, b) => compareBytes(a.value, b.value)
    default:
      return target satisfies never
  }
}

const EMPTY = new Uint8Array(0)

/**
 * Filters, sorts and cuts the keys of an interval, which come in key order. Where the limit was applied before, `kvs`
 * has one key more than it when there are more.
 */
export function select(request: RangeRequest, kvs: KeyValue[]): { kvs: KeyValue[]; more: boolean } {
  let kept = kvs
  if (hasFilters(request)) {
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request
    kept = kvs.filter(
      (kv) =>
        (maxModRevision === 0n || kv.modRevision <= maxModRevision) &&
        (minModRevision === 0n || kv.modRevision >= minModRevision) &&
        (maxCreateRevision === 0n || kv.createRevision <= maxCreateRevision) &&
        (minCreateRevision === 0n || kv.createRevision >= minCreateRevision),
    )
  }
  if (isSorted(request)) {
    const compare = compareBy(request.sortTarget)
    const direction = request.sortOrder === SortOrder.DESCEND ? -1 : 1
    kept = kept.toSorted((a, b) => direction * compare(a, b))
  }
  return cut(request, kept)
}

/** Cuts sorted keys to the limit, and drops the values where only keys were asked for. */
export function cut(request: RangeRequest, kvs: KeyValue[]): { kvs: KeyValue[]; more: boolean } {
  const more = request.limit > 0n && BigInt(kvs.length) > request.limit
  const kept = more ? kvs.slice(0, Number(request.limit)) : kvs
  return { kvs: request.keysOnly ? kept.map((kv) => ({ ...kv, value: EMPTY })) : kept, more }
}
