import type { Config } from './config.ts'
import type { Environment } from './environment.ts'
import { LIMITS } from './etcd/limits.ts'
import type { Context } from './gateway/context.ts'
import type { Instruments } from './observe/instruments.ts'
import type { Metrics } from './observe/metrics.ts'
import { Access, type AccessMemory } from './service/auth/access.ts'
import { createAuth } from './service/auth/index.ts'
import { Tokens } from './service/auth/tokens.ts'
import { createCluster } from './service/cluster/index.ts'
import { Sweeper } from './service/compactor/sweeper.ts'
import { RunningCalls } from './service/coordination/running-calls.ts'
import { createElection } from './service/election/index.ts'
import { createKv } from './service/kv/index.ts'
import { createLease } from './service/lease/index.ts'
import { createLock } from './service/lock/index.ts'
import { createHealth, createMaintenance } from './service/maintenance/index.ts'
import { createWatch, type WatchMetrics } from './service/watch/index.ts'
import { Engine, type EngineMemory } from './store/engine.ts'
import type { Sql } from './store/sql.ts'
import { Store } from './store/store.ts'

export interface ComposeOptions {
  readonly sql: Sql
  readonly config: Config
  readonly environment: Environment
  readonly instruments: Instruments
  /** Whether the application lives between requests: then it has timers, and one watch tail for all. */
  readonly resident: boolean
  /** What outlives an application that lives for one request. */
  readonly memory?: Memory
}

/** What was asked of the database once, for a process or isolate; nothing in it belongs to any request. */
export type Memory = EngineMemory & AccessMemory & { tokens?: Tokens }

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
export function compose(options: ComposeOptions): Application {
  const { sql, config, environment, instruments, resident, memory = {} } = options
  const store = new Store(
    new Engine({
      sql,
      schema: config.schema,
      environment,
      leaseTimer: resident,
      batched: (requests) => instruments.batchRequests.observe(requests),
      memory,
    }),
  )
  memory.tokens ??= new Tokens({ key: config.authToken, ttl: config.authTokenTtl, clock: environment.clock })
  const { tokens } = memory
  const access = new Access({ store, tokens, memory })
  const { pollInterval, streamMaxDuration } = config
  const watches = createWatch({
    events: store.events,
    access,
    identity: () => store.identity(),
    environment,
    sharedTail: resident,
    pollIntervalMs: { min: Math.min(POLL_INTERVAL_MIN_MS, pollInterval), max: pollInterval },
    ...(streamMaxDuration > 0 && { streamMaxMs: streamMaxDuration }),
  })
  if (resident) countWatches(instruments.metrics, watches.metrics)
  const sweeper = resident ? new Sweeper(store, environment) : undefined
  const kv = createKv({
    access,
    sweepSoon: () => sweeper?.soon(),
    txnOpsMax: config.maxTxnOps,
    requestBytesMax: config.maxRequestBytes,
  })
  const lease = createLease(access, environment)
  const { watch, longPoll } = watches
  const calls = new RunningCalls()
  const foundation = { kv, lease, watch, longPoll, calls, log: environment.log }
  const services = {
    kv,
    lease,
    watch: { watch },
    cluster: createCluster({ store, access, name: config.name, clientUrls: config.advertiseClientUrls }),
    maintenance: createMaintenance(access),
    auth: createAuth({ store, access, tokens, environment, requestBytesMax: config.maxRequestBytes }),
    lock: createLock(foundation),
    election: createElection(foundation),
    longPoll,
    health: createHealth(store),
  }
  return {
    store,
    context: {
      services,
      environment,
      instruments,
      messageBytesMax: config.maxRequestBytes + LIMITS.messageOverheadBytes,
      origins: config.cors,
      hosts: config.hostWhitelist,
    },
    endWatches: watches.close,
    async close() {
      watches.close()
      await sweeper?.close()
      // A lock or a campaign that waited has to take its key back.
      await calls.settled()
      await store.close()
    },
  }
}

function countWatches(metrics: Metrics, watches: WatchMetrics): void {
  const gauges: [string, string, () => number][] = [
    ['etcd_debugging_mvcc_watch_stream_total', 'Watch streams and long polls.', () => watches.streams],
    ['etcd_debugging_mvcc_watcher_total', 'Watchers.', () => watches.watchers],
    ['etcd_debugging_mvcc_slow_watcher_total', 'Watchers that are behind.', () => watches.slowWatchers],
  ]
  for (const [name, help, read] of gauges) metrics.gauge(name, help, read)
}
