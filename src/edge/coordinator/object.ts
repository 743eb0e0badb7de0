import { DurableObject } from 'cloudflare:workers'
import type { HubQuery, TakePage } from '../../service/watch/hub.ts'
import type { CompiledWrite, CompiledWriteAnswer } from '../../store/coordinated-writes.ts'
import type { Bindings } from '../bindings.ts'
import { readWorkerConfig } from '../config.ts'
import { openSession } from '../connection.ts'
import { workerEnvironment } from '../environment.ts'
import { releasedWhenIdle } from '../released-when-idle.ts'
import { CoordinatorCore } from './core.ts'
import type { CoordinatorRpc, CoordinatorState, FollowAnswer, NextAnswer } from './protocol.ts'

/** The connection is let go when nobody has used it for this long, so that a database may sleep. */
const IDLE_CONNECTION_MS = 5_000

/**
 * The coordinator as a Durable Object: the platform keeps one of them for each name, and lets it live between requests.
 * It keeps nothing in its storage.
 */
export class Coordinator extends DurableObject<Bindings> implements CoordinatorRpc {
  readonly #core: CoordinatorCore

  constructor(state: unknown, bindings: Bindings) {
    super(state, bindings)
    const config = readWorkerConfig(bindings)
    const environment = workerEnvironment(config)
    const sql = releasedWhenIdle(() => openSession(bindings), IDLE_CONNECTION_MS, environment)
    this.#core = new CoordinatorCore({ sql, config, environment })
  }

  write(write: CompiledWrite): Promise<CompiledWriteAnswer> {
    return this.#core.write(write)
  }

  next(query: HubQuery, waitMs: number, waiter: string): Promise<NextAnswer> {
    return this.#core.next(query, waitMs, waiter)
  }

  follow(query: HubQuery, waiter: string, take: TakePage): Promise<FollowAnswer> {
    return this.#core.follow(query, waiter, take)
  }

  leave(waiter: string): Promise<void> {
    return this.#core.leave(waiter)
  }

  state(): Promise<CoordinatorState> {
    return this.#core.state()
  }
}
