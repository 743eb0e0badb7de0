import type { Environment } from '../../environment.ts'
import { EtcdError, type GrpcCode } from '../../etcd/errors.ts'
import type { Hub, HubQuery, TakePage } from '../../service/watch/hub.ts'
import type { CompiledWrite, CompiledWriteAnswer, WriteCoordinator } from '../../store/coordinated-writes.ts'
import type { EventPage } from '../../store/event-log.ts'
import { errorText } from '../../thrown.ts'
import type { ObjectNamespace } from '../bindings.ts'
import type { CoordinatorGauges } from './gauges.ts'
import type { CoordinatorRpc } from './protocol.ts'

export interface CoordinatorClientOptions {
  readonly namespace: ObjectNamespace
  /** The store that it coordinates: there is one coordinator for each schema. */
  readonly schema: string
  readonly environment: Environment
  readonly gauges: CoordinatorGauges
  /** Lets what is still to be said be said when the request's client has gone. */
  waitUntil(work: Promise<unknown>): void
}

/** Waiting changes nothing, so it may be begun again with the next object, so many times in a row. */
const LOST_IN_A_ROW_MAX = 3
const LOST_PAUSE_MS = 200

/** One request's way to the coordinator. */
export class CoordinatorClient implements WriteCoordinator, Hub {
  readonly #options: CoordinatorClientOptions
  #stub: CoordinatorRpc | undefined

  constructor(options: CoordinatorClientOptions) {
    this.#options = options
  }

  async write(write: CompiledWrite): Promise<CompiledWriteAnswer> {
    try {
      return await this.#object().write(write)
    } catch (error) {
      this.#stub = undefined
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
    const takeFrom: TakePage = async (page) => {
      await take(page)
      after = page.through
    }
    await this.#waiting(signal, (object, waiter) => object.follow({ ...query, after }, waiter, takeFrom))
  }

  /** Asks what the object has done, for the metrics. Never fails. */
  async sample(): Promise<void> {
    const { gauges, environment } = this.#options
    try {
      gauges.answered(await this.#object().state())
    } catch (error) {
      gauges.failed()
      environment.log('warn', 'the coordinator gave no metrics', { error: errorText(error) })
    }
  }

  /** Begins again with the next object when one is lost: waiting changes nothing. */
  async #waiting<T extends object | undefined>(
    signal: AbortSignal,
    call: (object: CoordinatorRpc, waiter: string) => Promise<T>,
  ): Promise<Exclude<T, Failed>> {
    const { clock, log, random } = this.#options.environment
    for (let lost = 1; ; lost++) {
      try {
        return answered(await this.#waitingOnce(signal, call))
      } catch (error) {
        if (error instanceof EtcdError) throw error
        log('warn', 'the coordinator was lost while a watch waited', { error: errorText(error), lost })
        // An object that was lost doesn't come back under the same stub.
        this.#stub = undefined
        if (lost === LOST_IN_A_ROW_MAX || signal.aborted) throw EtcdError.of('NoLeader', error)
        await clock.sleep(LOST_PAUSE_MS * (0.5 + random.fraction()), signal)
      }
    }
  }

  async #waitingOnce<T>(
    signal: AbortSignal,
    call: (object: CoordinatorRpc, waiter: string) => Promise<T>,
  ): Promise<T> {
    const object = this.#object()
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

  #object(): CoordinatorRpc {
    const { namespace, schema } = this.#options
    // The platform's stub has the methods of the class that the binding names.
    this.#stub ??= namespace.get(namespace.idFromName(schema)) as CoordinatorRpc
    return this.#stub
  }
}

type Failed = { readonly failed: { readonly code: number; readonly message: string } }

function answered<T extends object | undefined>(answer: T): Exclude<T, Failed> {
  if (answer !== undefined && 'failed' in answer) {
    const { code, message } = (answer as Failed).failed
    throw new EtcdError(code as GrpcCode, message)
  }
  return answer as Exclude<T, Failed>
}
