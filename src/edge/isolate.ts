import { type Application, compose, type Memory } from '../compose.ts'
import { type Config, readConfig } from '../config/config.ts'
import { createInstruments } from '../observe/instruments.ts'
import type { Bindings } from './bindings.ts'
import { openConnection } from './connection.ts'
import { CoordinatorClient } from './coordinator/client.ts'
import { CoordinatorGauges } from './coordinator/gauges.ts'
import type { CoordinatorRpc } from './coordinator/protocol.ts'
import { workerEnvironment } from './environment.ts'
import { countedCoordinator, countedSql, Subrequests } from './subrequests.ts'

/** What of Cloudflare's ExecutionContext is used. */
export interface Execution {
  waitUntil(work: Promise<unknown>): void
}

/** The application of one request, or of one run of the trigger; it has to be closed. */
export interface Opened {
  readonly application: Application
  readonly config: Config
  /** Aborts when little more may be asked of others. Watches end then by themselves. */
  readonly scarce: AbortSignal
}

/** What a Worker's isolate keeps from request to request: nothing that does I/O. It has one set of bindings. */
export class Isolate {
  readonly #instruments = createInstruments()
  readonly #gauges = new CoordinatorGauges(this.#instruments.metrics)
  readonly #memory: Memory = {}
  #config: Config | undefined

  /**
   * Puts the application together for one request, on a connection of its own.
   * @throws ConfigError that a setting can't be understood; EtcdError that no database is bound
   */
  open(bindings: Bindings, execution: Execution): Opened {
    this.#config ??= readConfig({}, bindings)
    const config = this.#config
    const environment = workerEnvironment(config)
    const subrequests = new Subrequests(bindings.SUBREQUESTS_MAX)
    const { scarce } = subrequests
    const each = bindings.HYPERDRIVE === undefined ? 'statement' : 'connection'
    const connect = coordinatorOf(bindings, config.schema)
    this.#gauges.isInUse = connect !== undefined
    const coordinator =
      connect &&
      new CoordinatorClient({
        connect: () => countedCoordinator(connect(), subrequests),
        environment,
        gauges: this.#gauges,
        waitUntil: (work) => execution.waitUntil(work),
      })
    const application = compose({
      sql: countedSql(openConnection(bindings), subrequests, each),
      config,
      environment,
      instruments: this.#instruments,
      resident: false,
      memory: this.#memory,
      ...(coordinator && { coordinator }),
    })
    scarce.addEventListener('abort', () => application.endWatches(), { once: true })
    return { application, config, scarce }
  }
}

/** The way to the coordinator of a store, one for each schema; undefined where none is bound. */
function coordinatorOf({ COORDINATOR }: Bindings, schema: string): (() => CoordinatorRpc) | undefined {
  if (COORDINATOR === undefined) return undefined
  // The platform's stub has the methods of the class that the binding names.
  return () => COORDINATOR.get(COORDINATOR.idFromName(schema)) as CoordinatorRpc
}
