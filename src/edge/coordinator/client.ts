import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import type { Hub, HubQuery, TakePage } from '../../service/watch/hub.ts'
import type { CompiledWrite, CompiledWriteAnswer, WriteCoordinator } from '../../store/coordinated-writes.ts'
import type { EventPage } from '../../store/event-log.ts'
import { errorText } from '../../thrown.ts'
import type { CoordinatorGauges } from './gauges.ts'
import type { CoordinatorRpc, FollowAnswer } from './protocol.ts'

export interface CoordinatorClientOptions {
  /** Gives a way to the object: a new one after it was lost. */
  connect(): CoordinatorRpc
  readonly environment: Environment
  readonly gauges: CoordinatorGauges
  /** Lets what is still to be said be said when the request's client has gone. */
  waitUntil(work: Promise<unknown>): void
}

/** Waiting changes nothing, so it may be begun again with the next object, until so many in a row gave nothing. */
const LOST_IN_A_ROW_MAX = 3
const LOST_PAUSE_MS = 200

/** One request's way to the coordinator. */
export class CoordinatorClient implements WriteCoordinator, Hub {
  readonly #options: CoordinatorClientOptions
  #object: CoordinatorRpc | undefined
  #lostInARow = 0

  constructor(options: CoordinatorClientOptions) {
    this.#options = options
  }

  async write(write: CompiledWrite): Promise<CompiledWriteAnswer> {
    try {
      return await this.#connected().write(write)
    } catch (error) {
      this.#object = undefined
      throw error
    }
  }

  async next(query: HubQuery, waitMs: number, signal: AbortSignal): Promise<EventPage | undefined> {
    const { clock } = this.#options.environment
    const endsAtMs = clock.now() + waitMs
    const answer = await this.#waiting(signal, (object, waiter) =>
      object.next(query, Math.max(0, endsAtMs - clock.now()), waiter),
    )
    return answer.page
  }

  async follow(query: HubQuery, take: TakePage, signal: AbortSignal): Promise<void> {
    let { after } = query
    const takeOn: TakePage = async (page) => {
      this.#lostInARow = 0
      await take(page)
      // A position in the future isn't come to yet.
      if (after === undefined || page.through > after) after = page.through
    }
    await this.#waiting(signal, (object, waiter) => object.follow({ ...query, after }, waiter, takeOn))
  }

  /** Asks what the object has done, for the metrics. Never fails. */
  async sample(): Promise<void> {
    const { gauges, environment } = this.#options
    try {
      gauges.answered(await this.#connected().state())
    } catch (error) {
      gauges.failed()
      environment.log('warn', 'the coordinator gave no metrics', { error: errorText(error) })
    }
  }

  /** Begins again with the next object when one is lost. */
  async #waiting<T extends FollowAnswer>(
    signal: AbortSignal,
    call: (object: CoordinatorRpc, waiter: string) => Promise<T>,
  ): Promise<T> {
    const { clock, log, random } = this.#options.environment
    for (;;) {
      try {
        const answer = await this.#waitingOnce(signal, call)
        this.#lostInARow = 0
        if (answer.failed === undefined) return answer
        throw new EtcdError(answer.failed.code, answer.failed.message)
      } catch (error) {
        if (error instanceof EtcdError) throw error
        const lost = ++this.#lostInARow
        log('warn', 'the coordinator was lost while a watch waited', { error: errorText(error), lost })
        // An object that was lost doesn't come back under the same stub.
        this.#object = undefined
        if (lost >= LOST_IN_A_ROW_MAX || signal.aborted) throw EtcdError.of('NoLeader', error)
        await clock.sleep(LOST_PAUSE_MS * (0.5 + random.fraction()), signal)
      }
    }
  }

  async #waitingOnce<T>(
    signal: AbortSignal,
    call: (object: CoordinatorRpc, waiter: string) => Promise<T>,
  ): Promise<T> {
    const object = this.#connected()
    const waiter = crypto.randomUUID()
    // Nothing else tells the object of a client that has gone.
    const leave = () => this.#options.waitUntil(object.leave(waiter).catch(() => {}))
    const waiting = call(object, waiter)
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    try {
      return await waiting
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  #connected(): CoordinatorRpc {
    this.#object ??= this.#options.connect()
    return this.#object
  }
}
