import { type Application, compose, type Memory } from '../compose.ts'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { createInstruments } from '../observe/instruments.ts'
import { unrepeatedLog } from '../unrepeated-log.ts'
import type { Bindings } from './bindings.ts'
import { readWorkerConfig } from './config.ts'
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

const MISCONFIGURED = 'edgetcd: this Worker is misconfigured; its log says how'

/** What a Worker's isolate keeps from request to request: nothing that does I/O. It has one set of bindings. */
export class Isolate {
  readonly #instruments = createInstruments()
  readonly #gauges = new CoordinatorGauges(this.#instruments.metrics)
  readonly #memory: Memory = {}
  /** For what is wrong before the configuration says what to log. */
  readonly #log = unrepeatedLog(workerEnvironment({ logLevel: 'info' }))
  #config: Config | undefined

  /**
   * Puts the application together for one request, on a connection of its own.
   * @throws EtcdError that no database is bound, or that a setting can't be understood: which one is for the log alone
   */
  open(bindings: Bindings, execution: Execution): Opened {
    try {
      return this.#compose(bindings, execution)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      this.#log('error', `this Worker is misconfigured: ${error.message}`)
      throw new EtcdError(GrpcCode.Unavailable, MISCONFIGURED, { cause: error })
    }
  }

  #compose(bindings: Bindings, execution: Execution): Opened {
    const config = this.#readConfig(bindings)
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

  /** Reads it once, and says then what whoever set it should know. */
  #readConfig(bindings: Bindings): Config {
    if (this.#config === undefined) {
      this.#config = readWorkerConfig(bindings)
      const { log } = workerEnvironment(this.#config)
      for (const warning of this.#config.warnings) log('warn', warning)
    }
    return this.#config
  }
}

/** The way to the coordinator of a store, one for each schema; undefined where none is bound. */
function coordinatorOf({ COORDINATOR }: Bindings, schema: string): (() => CoordinatorRpc) | undefined {
  if (COORDINATOR === undefined) return undefined
  // The platform's stub has the methods of the class that the binding names.
  return () => COORDINATOR.get(COORDINATOR.idFromName(schema)) as CoordinatorRpc
}
