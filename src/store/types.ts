/** What the store says about itself in every answer, from the answer's own snapshot. */
export interface Head {
  readonly revision: bigint
  /** Reads below it are refused; -1 when the store was never compacted. */
  readonly compactRevision: bigint
  readonly authRevision: bigint
}

/** One state of a key; the field names of etcd's mvccpb.KeyValue. */
export interface KeyValue {
  key: Uint8Array
  createRevision: bigint
  modRevision: bigint
  version: bigint
  value: Uint8Array
  lease: bigint
}

/** What every answer's header says beside the revision; fixed for the life of a store. */
export interface Identity {
  readonly clusterId: bigint
  readonly memberId: bigint
  readonly raftTerm: bigint
}

/**
 * An interval of keys as the SQL functions take it: `to` null is the one key `from`, empty is from `from` to the end of
 * the keyspace, anything else is [from, to).
 */
export interface Interval {
  readonly from: Uint8Array
  readonly to: Uint8Array | null
}

const TO_THE_END = new Uint8Array(0)

/** The interval that etcd's `key` and `range_end` mean: an absent end is one key, a single zero byte is the end. */
export function intervalOf(key: Uint8Array, rangeEnd: Uint8Array): Interval {
  if (rangeEnd.length === 0) return { from: key, to: null }
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from: key, to: TO_THE_END }
  return { from: key, to: rangeEnd }
}
