import type { Config } from './config/config.ts'
import type { Environment } from './environment.ts'
import { LIMITS } from './etcd/limits.ts'
import type { Context } from './gateway/context.ts'
import type { Instruments } from './observe/instruments.ts'
import { countEngine, countWatches } from './observe/resident-gauges.ts'
import { SlowStatements } from './observe/slow-statements.ts'
import type { StoreSample } from './observe/store-gauges.ts'
import { StoreSampler } from './observe/store-sampler.ts'
import { Access, type AccessMemory } from './service/auth/access.ts'
import { createAuth } from './service/auth/index.ts'
import { Tokens } from './service/auth/tokens.ts'
import { createCluster } from './service/cluster/index.ts'
import { Sweeper } from './service/compactor/sweeper.ts'
import { RunningCalls } from './service/coordination/running-calls.ts'
import { createElection } from './service/election/index.ts'
import { countOperations } from './service/kv/counted.ts'
import { createKv } from './service/kv/index.ts'
import { countLeases } from './service/lease/counted.ts'
import { createLease } from './service/lease/index.ts'
import { createLock } from './service/lock/index.ts'
import { createHealth, createMaintenance } from './service/maintenance/index.ts'
import { Quota } from './service/maintenance/quota.ts'
import type { Services } from './service/services.ts'
import type { Hub } from './service/watch/hub.ts'
import { createWatch, type WatchService } from './service/watch/index.ts'
import { pollIntervalAlone, pollIntervalUpTo } from './service/watch/pace.ts'
import type { WriteCoordinator } from './store/coordinated-writes.ts'
import { Engine, type EngineMemory } from './store/engine.ts'
import type { Sql } from './store/sql.ts'
import { Store } from './store/store.ts'
import { timedSql } from './store/timed-sql.ts'

export interface ComposeOptions {
  readonly sql: Sql
  readonly config: Config
  readonly environment: Environment
  readonly instruments: Instruments
  /** Whether the application lives between requests: then it has timers, and one watch tail for all. */
  readonly resident: boolean
  /** Where clients reach the server, when the configuration alone doesn't know. */
  readonly clientUrls?: () => readonly string[]
  /** What outlives an application that lives for one request. */
  readonly memory?: Memory
  /** Where the requests of many such applications meet. */
  readonly coordinator?: Coordinator
}

/** What was asked of the database once, for a process or isolate; nothing in it belongs to any request. */
export type Memory = EngineMemory & AccessMemory & { tokens?: Tokens }

/** Runs writes in batches with those of others, tells of events, and of itself for the metrics. */
export type Coordinator = WriteCoordinator & Hub & { sample(): Promise<void> }

/** Everything between the driver and the transport. */
export interface Application {
  readonly store: Store
  readonly context: Context
  /** Raises NOSPACE if the store has reached its quota: for a process that doesn't live long enough to do so by itself. */
  checkQuota(): Promise<void>
  /** Ends the watches. */
  endWatches(): void
  /** Ends the watches, finishes the writes that were accepted, and closes the connections. */
  close(): Promise<void>
}

/** Puts the application together on a driver: the one place that knows every part. */
export function compose(options: ComposeOptions): Application {
  const { config, environment, instruments, resident, memory = {}, coordinator } = options
  const { engine, store, quota } = composeStore(options)
  memory.tokens ??= new Tokens({ key: config.authToken, ttl: config.authTokenTtl, clock: environment.clock })
  const { tokens } = memory
  const access = new Access({ store, tokens, memory })
  const messageBytesMax = config.maxRequestBytes + LIMITS.messageOverheadBytes
  const watches = composeWatches(options, store, access, messageBytesMax)
  if (resident) {
    countWatches(instruments.metrics, watches.metrics)
    countEngine(instruments.metrics, engine, config.quotaBackendBytes)
  }
  const sampler = new StoreSampler({
    gauges: instruments.store,
    clock: environment.clock,
    read: () => sampleOf(store),
    position: () => watches.metrics.position,
  })
  const sweeper = resident ? new Sweeper(store, environment) : undefined
  const calls = new RunningCalls()
  const services = composeServices(options, { store, access, tokens, watches, sweeper, calls })
  return {
    store,
    context: {
      services,
      environment,
      instruments,
      messageBytesMax,
      warningUnaryMs: config.warningUnaryRequestDuration,
      sampleStore: async () => {
        await Promise.all([sampler.refresh(), coordinator?.sample()])
      },
      origins: config.cors,
      hosts: config.hostWhitelist,
    },
    checkQuota: async () => quota?.check(),
    endWatches: watches.close,
    async close() {
      watches.close()
      await quota?.close()
      await sweeper?.close()
      // A lock or a campaign that waited has to take its key back.
      await calls.settled()
      await store.close()
    },
  }
}

/** The engine, measured, and what watches its size. */
function composeStore({
  sql,
  config,
  environment,
  instruments,
  resident,
  memory = {},
  coordinator,
}: ComposeOptions) {
  const slow = new SlowStatements(config.warningApplyDuration, environment.log, instruments.slowStatements)
  let quota: Quota | undefined
  const engine = new Engine({
    sql: timedSql(sql, (statement, tookMs) => slow.statement(statement, tookMs)),
    schema: config.schema,
    environment,
    leaseTimer: resident,
    batched: (batch) => {
      instruments.batchRequests.observe(batch.requests.length)
      instruments.commitSeconds.observe(batch.tookMs / 1000)
      slow.batch(batch)
      if (!resident) return
      const bytes = batch.requests.reduce((sum, request) => sum + request.bytes, 0)
      quota?.written(batch.requests.length, bytes)
    },
    memory,
    ...(coordinator && { coordinator }),
  })
  const store = new Store(engine)
  if (config.quotaBackendBytes !== undefined) {
    quota = new Quota(store, config.quotaBackendBytes, environment)
  }
  return { engine, store, quota }
}

function composeWatches(
  { config, environment, resident, coordinator }: ComposeOptions,
  store: Store,
  access: Access,
  fragmentBytesMax: number,
): WatchService {
  const { pollInterval, streamMaxDuration } = config
  return createWatch({
    events: store.events,
    access,
    identity: () => store.identity(),
    environment,
    sharedTail: resident,
    ...(coordinator && { hub: coordinator }),
    pollIntervalMs: resident ? pollIntervalUpTo(pollInterval) : pollIntervalAlone(pollInterval),
    progressIntervalMs: config.watchProgressNotifyInterval,
    fragmentBytesMax,
    ...(streamMaxDuration > 0 && { streamMaxMs: streamMaxDuration }),
  })
}

interface Parts {
  readonly store: Store
  readonly access: Access
  readonly tokens: Tokens
  readonly watches: WatchService
  readonly sweeper: Sweeper | undefined
  readonly calls: RunningCalls
}

function composeServices(
  { config, environment, instruments, clientUrls = () => config.advertiseClientUrls }: ComposeOptions,
  { store, access, tokens, watches, sweeper, calls }: Parts,
): Services {
  const kv = countOperations(
    createKv({
      access,
      sweepSoon: () => sweeper?.soon(),
      sweep: async () => {
        // By then the watches of all servers have seen what was there when it was compacted.
        await environment.clock.sleep(config.pollInterval)
        await store.compaction.sweep()
      },
      txnOpsMax: config.maxTxnOps,
      requestBytesMax: config.maxRequestBytes,
    }),
    instruments.operations,
  )
  const lease = countLeases(createLease(access, environment), instruments.leases)
  const { watch, longPoll } = watches
  const foundation = { kv, lease, watch, longPoll, calls, log: environment.log }
  return {
    kv,
    lease,
    watch: { watch },
    cluster: createCluster({ store, access, name: config.name, clientUrls }),
    maintenance: createMaintenance({ access, quotaBytes: config.quotaBackendBytes }),
    auth: createAuth({ store, access, tokens, environment, requestBytesMax: config.maxRequestBytes }),
    lock: createLock(foundation),
    election: createElection(foundation),
    longPoll,
    health: createHealth(store),
  }
}

async function sampleOf(store: Store): Promise<StoreSample> {
  const { head, ...sizes } = await store.status.read()
  const { revision, compactRevision } = head
  return { revision, compactRevision, ...sizes }
}
