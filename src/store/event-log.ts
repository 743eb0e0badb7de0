import type { Head, KeyValue } from './types.ts'

/** One change of one key. A DELETE's `kv` has its key and modRevision only; the rest is 0n or empty. */
export interface LoggedEvent {
  readonly type: 'PUT' | 'DELETE'
  readonly kv: KeyValue
  /** The key before the change, when asked for and still in the history. */
  readonly prevKv?: KeyValue
}

export interface EventQuery {
  /** Events of revisions above this one. */
  readonly after: bigint
  /** Only keys of this interval, as etcd writes it: an empty end is the one key, a zero byte the end of the keyspace. */
  readonly range?: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }
  readonly prevKv: boolean
}

/**
 * One snapshot of the log: every event in (after, through], whole revisions only, in the order of (revision, sub).
 * `through` never exceeds head.revision and equals it when nothing is left to read; it lies below `after` when that is
 * in the future.
 */
export interface EventPage {
  readonly head: Head
  readonly through: bigint
  /**
   * Every event above this revision is still in the log. That may lie well below head.compactRevision, until compaction
   * has removed anything: so a watch that is only a moment behind the head outlives a compaction at the head.
   */
  readonly intactAfter: bigint
  readonly events: readonly LoggedEvent[]
}

/** The revision log, read by position. */
export interface EventLog {
  /** One page, bounded in revisions and bytes (LIMITS). Fails with an EtcdError. */
  read(query: EventQuery, signal?: AbortSignal): Promise<EventPage>
  /** Tells that this process committed up to `revision`. A hint only; gives the function that ends it. */
  onWrite(listener: (revision: bigint) => void): () => void
}
