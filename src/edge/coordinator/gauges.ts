import type { Metrics } from '../../observe/metrics.ts'
import type { CoordinatorState } from './protocol.ts'

/** Whether a Worker's requests meet at a coordinator, and what that one does. It counts anew when its object is lost. */
export class CoordinatorGauges {
  /** Whether the deployment has one. */
  isInUse = false
  #state: CoordinatorState | undefined

  constructor(metrics: Metrics) {
    metrics.gauge(
      'edgetcd_coordinator_in_use',
      'Whether requests meet at a coordinator (1), or each asks the database for itself (0).',
      () => Number(this.isInUse),
    )
    metrics.gauge(
      'edgetcd_coordinator_up',
      'Whether the coordinator answered the last time that it was asked.',
      () => (this.isInUse ? Number(this.#state !== undefined) : undefined),
    )
    const counted: [string, string, (state: CoordinatorState) => number][] = [
      ['edgetcd_coordinator_batches_total', 'Write statements of the coordinator.', (state) => state.batches],
      [
        'edgetcd_coordinator_batched_requests_total',
        'Requests that travelled in them.',
        (state) => state.batchedRequests,
      ],
    ]
    for (const [name, help, read] of counted) metrics.counted(name, help, this.#of(read))
    metrics.gauge(
      'edgetcd_coordinator_pending_writes',
      'Writes that wait for the next batch.',
      this.#of((state) => state.pendingWrites),
    )
    metrics.gauge(
      'edgetcd_coordinator_waiters',
      'Watches and long polls that wait at the coordinator.',
      this.#of((state) => state.waiters),
    )
  }

  answered(state: CoordinatorState): void {
    this.#state = state
  }

  failed(): void {
    this.#state = undefined
  }

  #of(read: (state: CoordinatorState) => number): () => number | undefined {
    return () => this.#state && read(this.#state)
  }
}
