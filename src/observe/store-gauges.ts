import type { Clock } from '../environment.ts'
import type { Metrics } from './metrics.ts'

/** What the database knows of the store, asked in one small statement. */
export interface StoreSample {
  readonly revision: bigint
  readonly compactRevision: bigint
  /** What was compacted has been removed up to here. */
  readonly sweptRevision: bigint
  readonly size: bigint
  readonly sizeInUse: bigint
}

/** However often somebody scrapes, the database is asked no more often than this. */
const SAMPLE_INTERVAL_MS = 5_000
/** A scrape doesn't wait longer for it: the last values go out, or none. */
const SAMPLE_TIMEOUT_MS = 1_000

/** The metrics that only the database knows. They outlive whatever asks it, and the database's own absence. */
export class StoreGauges {
  #sample: StoreSample | undefined
  #revisionLag: number | undefined
  #answers = false
  #leaderChanges = 0
  #sampledMs = Number.NEGATIVE_INFINITY
  #sampling: Promise<void> | undefined

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
  }

  /**
   * Asks anew when the last answer is old; never fails, and never takes long. `position` is how far this server's watches
   * have come; undefined when none waits.
   */
  async refresh(
    clock: Clock,
    read: () => Promise<StoreSample>,
    position: () => bigint | undefined,
  ): Promise<void> {
    if (clock.now() - this.#sampledMs < SAMPLE_INTERVAL_MS) return
    this.#sampling ??= this.#ask(clock, read, position).finally(() => {
      this.#sampling = undefined
    })
    const waited = new AbortController()
    await Promise.race([
      this.#sampling,
      clock.sleep(SAMPLE_TIMEOUT_MS, waited.signal).then(() => this.#lose()),
    ])
    waited.abort()
  }

  async #ask(
    clock: Clock,
    read: () => Promise<StoreSample>,
    position: () => bigint | undefined,
  ): Promise<void> {
    try {
      const sample = await read()
      const seen = position() ?? sample.revision
      this.#revisionLag = Number(sample.revision > seen ? sample.revision - seen : 0n)
      // etcd counts the leader that it finds at first, too.
      if (!this.#answers) this.#leaderChanges++
      this.#answers = true
      this.#sample = sample
    } catch {
      // Whoever reads the metrics sees it in them.
      this.#answers = false
    } finally {
      this.#sampledMs = clock.now()
    }
  }

  #lose(): void {
    if (this.#sampling !== undefined) this.#answers = false
  }
}
