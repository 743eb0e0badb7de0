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
