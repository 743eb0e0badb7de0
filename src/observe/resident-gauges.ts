import type { WatchMetrics } from '../service/watch/index.ts'
import type { Engine } from '../store/engine.ts'
import type { Metrics } from './metrics.ts'

/* What only a process that lives between requests has. */

/** The metrics of one server's way to the store: what it may grow to, and what waits to be written. */
export function countEngine(
  metrics: Metrics,
  engine: Pick<Engine, 'pendingWrites'>,
  quotaBytes: bigint | undefined,
): void {
  metrics.gauge('etcd_server_quota_backend_bytes', 'Current backend storage quota size in bytes.', () =>
    Number(quotaBytes ?? -1n),
  )
  metrics.gauge(
    'etcd_server_proposals_pending',
    'The current number of pending proposals to commit.',
    () => engine.pendingWrites,
  )
}

/** The metrics of the watches that a server holds. */
export function countWatches(metrics: Metrics, watches: WatchMetrics): void {
  const gauges: [string, string, () => number][] = [
    ['etcd_debugging_mvcc_watch_stream_total', 'Total number of watch streams.', () => watches.streams],
    ['etcd_debugging_mvcc_watcher_total', 'Total number of watchers.', () => watches.watchers],
    [
      'etcd_debugging_mvcc_slow_watcher_total',
      'Total number of unsynced slow watchers.',
      () => watches.slowWatchers,
    ],
    [
      'etcd_debugging_mvcc_pending_events_total',
      'Total number of pending events to be sent.',
      () => watches.pendingEvents,
    ],
    [
      'edgetcd_watch_lag_revisions',
      'Revisions that the slowest watcher has yet to read; 0 while all are at the tail.',
      () => watches.lag,
    ],
  ]
  for (const [name, help, read] of gauges) metrics.gauge(name, help, read)
  metrics.counted(
    'etcd_debugging_mvcc_events_total',
    'Total number of events sent by this member.',
    () => watches.eventsSent,
  )
  metrics.gauges('edgetcd_waiting_watchers', 'Watchers that wait for events, by how they are asked for.', [
    { labels: { kind: 'stream' }, read: () => watches.watchers - watches.longPolls },
    { labels: { kind: 'long_poll' }, read: () => watches.longPolls },
  ])
}
