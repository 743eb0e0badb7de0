import type { ScheduledRunsStatus } from '../store/scheduled-runs.ts'
import type { Metrics } from './metrics.ts'
import { gaugeScheduledRuns } from './scheduled-run-gauges.ts'

/** What the database knows of the store, asked in one small statement. */
export interface StoreSample {
  readonly revision: bigint
  readonly compactRevision: bigint
  /** What was compacted has been removed up to here. */
  readonly sweptRevision: bigint
  readonly size: bigint
  readonly sizeInUse: bigint
  readonly scheduledRuns: ScheduledRunsStatus
}

/** The metrics that only the database knows. They outlive whatever asks it, and the database's own absence. */
export class StoreGauges {
  #sample: StoreSample | undefined
  #revisionLag: number | undefined
  #answers = false
  #leaderChanges = 0
  #askedMs = Number.NEGATIVE_INFINITY

  constructor(metrics: Metrics) {
    const sampled = (name: string, help: string, read: (sample: StoreSample) => bigint) =>
      metrics.gauge(name, help, () => this.#sample && Number(read(this.#sample)))
    metrics.gauge('etcd_server_has_leader', 'Whether or not a leader exists. 1 is existence, 0 is not.', () =>
      Number(this.#answers),
    )
    metrics.gauge(
      'etcd_server_is_leader',
      'Whether or not this member is a leader. 1 if is, 0 otherwise.',
      () => Number(this.#answers),
    )
    metrics.counted(
      'etcd_server_leader_changes_seen_total',
      'The number of leader changes seen.',
      () => this.#leaderChanges,
    )
    sampled(
      'etcd_mvcc_db_total_size_in_bytes',
      'Total size of the underlying database physically allocated in bytes.',
      ({ size }) => size,
    )
    sampled(
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Total size of the underlying database logically in use in bytes.',
      ({ sizeInUse }) => sizeInUse,
    )
    sampled(
      'etcd_debugging_mvcc_current_revision',
      'The current revision of store.',
      ({ revision }) => revision,
    )
    sampled(
      'etcd_debugging_mvcc_compact_revision',
      'The revision of the last compaction in store.',
      ({ compactRevision }) => compactRevision,
    )
    sampled(
      'edgetcd_compaction_lag_revisions',
      'Revisions that are compacted and still take space.',
      ({ compactRevision, sweptRevision }) =>
        compactRevision > sweptRevision ? compactRevision - sweptRevision : 0n,
    )
    metrics.gauge(
      'edgetcd_revision_lag',
      "Revisions of the store that this server's watches have not seen yet; 0 while none waits.",
      () => this.#revisionLag,
    )
    gaugeScheduledRuns(metrics, () => this.#sample?.scheduledRuns)
  }

  /** When the database was last asked, in milliseconds on the clock, whatever it answered. */
  get askedMs(): number {
    return this.#askedMs
  }

  /** It answered. `position` is how far this server's watches have come; undefined when none waits. */
  answered(sample: StoreSample, position: bigint | undefined, nowMs: number): void {
    const seen = position ?? sample.revision
    this.#revisionLag = Number(sample.revision > seen ? sample.revision - seen : 0n)
    // etcd counts the leader that it finds at first, too.
    if (!this.#answers) this.#leaderChanges++
    this.#answers = true
    this.#sample = sample
    this.#askedMs = nowMs
  }

  /** It failed to. */
  failed(nowMs: number): void {
    this.#answers = false
    this.#askedMs = nowMs
  }

  /** Nobody waits any longer for what it will answer. */
  gaveUp(): void {
    this.#answers = false
  }
}
