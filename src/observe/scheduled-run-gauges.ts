import type { ScheduledRunsStatus } from '../store/scheduled-runs.ts'
import type { Metrics } from './metrics.ts'

/** What a run of the scheduled trigger does, in this order; `record` notes when it began and how it ended. */
const SCHEDULED_STEPS = ['record', 'leases', 'compaction', 'quota', 'sweep'] as const

export type ScheduledStep = (typeof SCHEDULED_STEPS)[number]

/** The metrics of the scheduled trigger's runs, whoever ran them. `read` gives undefined while nothing is known. */
export function gaugeScheduledRuns(metrics: Metrics, read: () => ScheduledRunsStatus | undefined): void {
  const time = (name: string, help: string, of: (runs: ScheduledRunsStatus) => bigint | undefined) =>
    metrics.gauge(name, help, () => {
      const runs = read()
      const ms = runs && of(runs)
      return ms === undefined ? undefined : Number(ms) / 1000
    })
  time(
    'edgetcd_trigger_began_timestamp_seconds',
    'When the scheduled trigger last began to run, in seconds since unix epoch.',
    ({ beganMs }) => beganMs,
  )
  time(
    'edgetcd_trigger_ended_timestamp_seconds',
    'When a run of the scheduled trigger last came to its end, in seconds since unix epoch.',
    ({ endedMs }) => endedMs,
  )
  time(
    'edgetcd_trigger_succeeded_timestamp_seconds',
    'When a run of the scheduled trigger last ended without a failure, in seconds since unix epoch.',
    ({ succeededMs }) => succeededMs,
  )
  metrics.gauges(
    'edgetcd_trigger_failed',
    'Whether a step of the last run of the scheduled trigger that ended has failed.',
    SCHEDULED_STEPS.map((step) => ({
      labels: { step },
      read: () => {
        const runs = read()
        return runs?.endedMs === undefined ? undefined : Number(runs.failedSteps.includes(step))
      },
    })),
  )
}
