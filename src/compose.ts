import type { Config } from './config.ts'
import type { Environment } from './environment.ts'
import { EDGETCD_VERSION, ETCD_VERSION } from './gateway/answer.ts'
import type { Context } from './gateway/context.ts'
import { Metrics } from './observe/metrics.ts'
import { createRpcMetrics } from './observe/rpc-metrics.ts'
import { createKv } from './service/kv/index.ts'
import { createLease } from './service/lease/index.ts'
import { createMaintenance } from './service/maintenance/index.ts'
import { createWatch, type WatchMetrics } from './service/watch/index.ts'
import type { Sql } from './store/sql.ts'
import { Store } from './store/store.ts'

export interface ComposeOptions {
  readonly sql: Sql
  readonly config: Config
  readonly environment: Environment
  /** Whether the process lives between requests: then it has timers, and one watch tail for all. */
  readonly resident: boolean
}

/** Everything between the driver and the transport. */
export interface Application {
  readonly store: Store
  readonly context: Context
  /** Ends the watches. */
  endWatches(): void
  /** Ends the watches, finishes the writes that were accepted, and closes the connections. */
  close(): Promise<void>
}

/** A watch looks again this soon after events; then less and less often. */
const POLL_INTERVAL_MIN_MS = 50

/** Puts the application together on a driver: the one place that knows every part. */
export function compose({ sql, config, environment, resident }: ComposeOptions): Application {
  const metrics = new Metrics()
  const batches = metrics.histogram(
    'edgetcd_batch_requests',
    'Requests that shared one write statement.',
    BATCHES,
  )
  const store = new Store({
    sql,
    schema: config.schema,
    environment,
    leaseTimer: resident,
    batched: (requests) => batches.observe(requests),
  })
  const { pollInterval, streamMaxDuration } = config
  const { watch, longPoll, ...watches } = createWatch({
    events: store.events,
    identity: () => store.identity(),
    environment,
    sharedTail: resident,
    pollIntervalMs: { min: Math.min(POLL_INTERVAL_MIN_MS, pollInterval), max: pollInterval },
    ...(streamMaxDuration > 0 && { streamMaxMs: streamMaxDuration }),
  })
  describe(metrics, watches.metrics)
  const services = {
    kv: createKv({
      store,
      environment,
      txnOpsMax: config.maxTxnOps,
      requestBytesMax: config.maxRequestBytes,
    }),
    lease: createLease(store, environment),
    watch: { watch },
    cluster: {},
    maintenance: createMaintenance(store),
    auth: {},
    lock: {},
    election: {},
    longPoll,
    health: async () => {
      await store.head()
      return []
    },
  }
  return {
    store,
    context: { services, environment, metrics, rpcMetrics: createRpcMetrics(metrics) },
    endWatches: watches.close,
    async close() {
      watches.close()
      await store.close()
    },
  }
}

const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** What doesn't count but stands: the versions, and the watches of the moment. */
function describe(metrics: Metrics, watches: WatchMetrics): void {
  const one = () => 1
  metrics.gauge('edgetcd_build_info', 'Which edgetcd is running.', one, { version: EDGETCD_VERSION })
  metrics.gauge('etcd_server_version', "Which etcd's behaviour this is.", one, {
    server_version: ETCD_VERSION,
  })
  metrics.gauge(
    'etcd_debugging_mvcc_watch_stream_total',
    'Watch streams and long polls.',
    () => watches.streams,
  )
  metrics.gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.', () => watches.watchers)
  metrics.gauge(
    'etcd_debugging_mvcc_slow_watcher_total',
    'Watchers that are behind.',
    () => watches.slowWatchers,
  )
}
