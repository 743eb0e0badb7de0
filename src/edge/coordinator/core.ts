import type { Config } from '../../config/config.ts'
import type { Environment } from '../../environment.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { followLog } from '../../service/watch/follower.ts'
import type { Hub, HubQuery, TakePage } from '../../service/watch/hub.ts'
import { pollIntervalUpTo } from '../../service/watch/pace.ts'
import { type CompiledWrite, type CompiledWriteAnswer, runCompiled } from '../../store/coordinated-writes.ts'
import { Engine } from '../../store/engine.ts'
import { etcdFailure } from '../../store/failure.ts'
import type { Sql } from '../../store/sql.ts'
import type { CoordinatorRpc, CoordinatorState, FollowAnswer, NextAnswer } from './protocol.ts'

export interface CoordinatorOptions {
  /** Held for as long as somebody writes or waits. */
  readonly sql: Sql
  readonly config: Pick<Config, 'schema' | 'pollInterval'>
  readonly environment: Environment
}

/**
 * Where a Worker's requests meet: their writes travel in batches, and one reader of the log serves all that wait. It holds
 * nothing that the database doesn't have, and decides nothing: lost, or there twice, it costs speed only. Whoever calls it
 * has been authorized.
 */
export class CoordinatorCore implements CoordinatorRpc {
  readonly #engine: Engine
  readonly #hub: Hub
  readonly #waiters = new Map<string, AbortController>()
  #batches = 0
  #batchedRequests = 0

  constructor({ sql, config, environment }: CoordinatorOptions) {
    this.#engine = new Engine({
      sql,
      schema: config.schema,
      environment,
      // The reader of the log ends what is due for as long as somebody waits, and the scheduled trigger does otherwise.
      leaseTimer: false,
      queueBytesMax: LIMITS.workerBatchQueueBytesMax,
      batched: ({ requests }) => {
        this.#batches++
        this.#batchedRequests += requests.length
      },
    })
    const interval = pollIntervalUpTo(config.pollInterval)
    this.#hub = followLog({ events: this.#engine.events, environment, interval, shared: true }).hub
  }

  async write(write: CompiledWrite): Promise<CompiledWriteAnswer> {
    return await runCompiled(this.#engine, write)
  }

  next(query: HubQuery, waitMs: number, waiter: string): Promise<NextAnswer> {
    const boundedMs = Math.min(waitMs, LIMITS.waitMaxSeconds * 1000)
    return this.#waiting(waiter, async (signal) => ({
      page: await this.#hub.next(query, boundedMs, signal),
    }))
  }

  follow(query: HubQuery, waiter: string, take: TakePage): Promise<FollowAnswer> {
    return this.#waiting(waiter, async (signal) => {
      await this.#hub.follow(query, take, signal)
      return {}
    })
  }

  async #waiting<T>(
    waiter: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | Required<FollowAnswer>> {
    const leaving = new AbortController()
    this.#waiters.set(waiter, leaving)
    try {
      return await work(leaving.signal)
    } catch (error) {
      const { code, message } = etcdFailure(error)
      return { failed: { code, message } }
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  async leave(waiter: string): Promise<void> {
    this.#waiters.get(waiter)?.abort()
  }

  async state(): Promise<CoordinatorState> {
    return {
      batches: this.#batches,
      batchedRequests: this.#batchedRequests,
      pendingWrites: this.#engine.pendingWrites,
      waiters: this.#waiters.size,
    }
  }
}
