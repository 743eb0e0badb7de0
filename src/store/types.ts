import type { SqlRow } from './sql.ts'

/** What the store says about itself in every answer, from the answer's own snapshot. */
export interface Head {
  readonly revision: bigint
  /** Reads below it are refused; -1 when the store was never compacted. */
  readonly compactRevision: bigint
  /** Rises whenever it changes what anybody may do. */
  readonly authVersion: bigint
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

const EMPTY = new Uint8Array(0)

/** A key's state from six columns that follow each other: key, create, mod, version, lease, value. */
export function keyValueAt(row: SqlRow, at: number): KeyValue {
  return {
    key: row[at] as Uint8Array,
    createRevision: row[at + 1] as bigint,
    modRevision: row[at + 2] as bigint,
    version: row[at + 3] as bigint,
    lease: row[at + 4] as bigint,
    value: (row[at + 5] as Uint8Array | null) ?? EMPTY,
  }
}

/** What every answer's header says beside the revision; fixed for the life of a store. */
export interface Identity {
  readonly clusterId: bigint
  readonly memberId: bigint
  readonly raftTerm: bigint
}
