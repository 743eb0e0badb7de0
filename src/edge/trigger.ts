import type { Application } from '../compose.ts'
import type { Environment } from '../environment.ts'
import { LIMITS } from '../etcd/limits.ts'
import type { Counter } from '../observe/metrics.ts'
import type { ScheduledStep } from '../observe/scheduled-run-gauges.ts'
import { compactAsRetained, type Retention } from '../service/compactor/index.ts'
import { errorText } from '../thrown.ts'

export interface ScheduledRunOptions {
  readonly application: Pick<Application, 'store' | 'checkQuota'>
  readonly retention: Retention | undefined
  readonly environment: Environment
  readonly failures: Counter
  /** Aborts when little more may be asked of the database in this run. */
  readonly signal: AbortSignal
}

/**
 * One run of a Worker's scheduled trigger: ends the leases that are due, compacts as configured, minds the quota, and frees
 * the space of what is compacted. A step that fails doesn't keep the others from running. What isn't done when the time is
 * over (`LIMITS.scheduledRunMs`), when `signal` aborts, or when the run is cut off, the next one does; runs may overlap.
 *
 * When it began, how it ended and what failed is kept in the database, for the metrics of all isolates.
 * @throws Error naming the steps that failed, once all have run, so that the platform counts the run as failed
 */
export async function runScheduled(options: ScheduledRunOptions): Promise<void> {
  const { application, retention, environment, failures, signal } = options
  const { store } = application
  const { clock, log } = environment
  const ended = new AbortController()
  const over = new AbortController()
  void clock.sleep(LIMITS.scheduledRunMs, ended.signal).then(() => over.abort())
  signal.addEventListener('abort', () => over.abort())
  const failed = new Set<ScheduledStep>()
  const run = async (step: ScheduledStep, work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      failed.add(step)
      log('error', 'a step of the scheduled trigger failed', { step, error: errorText(error) })
    }
  }
  let sweepAtMs = 0
  await run('record', () => store.scheduledRuns.began())
  await run('leases', () => store.head())
  await run('compaction', async () => {
    const revision = await compactAsRetained(store, retention, over.signal)
    if (revision === undefined) return
    log('info', 'compacted', { revision: String(revision) })
    sweepAtMs = clock.now() + LIMITS.sweepDelayMs
  })
  await run('quota', () => application.checkQuota())
  // A watch that is a little behind still finds what was compacted.
  await clock.sleep(Math.max(0, sweepAtMs - clock.now()), over.signal)
  await run('sweep', () => store.compaction.sweep(over.signal))
  await run('record', () => store.scheduledRuns.ended([...failed]))
  ended.abort()
  if (failed.size === 0) return
  failures.add(1)
  throw new Error(`the scheduled trigger failed: ${[...failed].join(', ')}`)
}
