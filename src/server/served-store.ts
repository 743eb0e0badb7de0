import { type Application, compose } from '../compose.ts'
import type { Config } from '../config/config.ts'
import type { StoreAddress } from '../config/store-addresses.ts'
import type { Environment } from '../environment.ts'
import type { Context } from '../gateway/context.ts'
import { createInstruments, type Instruments } from '../observe/instruments.ts'
import { runCompactor } from '../service/compactor/index.ts'
import type { Sql } from '../store/sql.ts'
import { fairly } from './fair-sql.ts'
import { shareOf } from './shared-sql.ts'

/** One etcd that a process serves: everything of its own but the connections to the database. */
export class ServedStore {
  readonly address: StoreAddress
  readonly instruments: Instruments
  /** Where clients are told to find it. */
  clientUrls: readonly string[] = []
  readonly #application: Application
  readonly #environment: Environment
  readonly #config: Config
  #compacting: Promise<void> | undefined

  /** `at` is its place among the stores that share `sql`. */
  constructor(address: StoreAddress, at: number, config: Config, environment: Environment, sql: Sql) {
    this.address = address
    this.#config = config
    this.#environment = config.stores.length === 0 ? environment : loggingOf(address.schema, environment)
    this.instruments = createInstruments(config.metrics)
    // A share even where it is the only one: the process closes the connections, not the store.
    const share = shareOf(sql, at)
    this.#application = compose({
      sql: config.stores.length > 1 ? fairly(share) : share,
      config: { ...config, schema: address.schema },
      environment: this.#environment,
      instruments: this.instruments,
      resident: true,
      clientUrls: () => this.clientUrls,
    })
  }

  get context(): Context {
    return this.#application.context
  }

  /** Looks at the store for the first time, which arms the timer of its leases. */
  async look(): Promise<void> {
    await this.#application.store.head()
  }

  /** Compacts as configured, until the signal aborts. */
  compactUntil(signal: AbortSignal): void {
    const { retention } = this.#config
    if (retention === undefined) return
    const { triggerFailures } = this.instruments
    this.#compacting = runCompactor(
      this.#application.store,
      retention,
      this.#environment,
      triggerFailures,
      signal,
    )
  }

  endWatches(): void {
    this.#application.endWatches()
  }

  /** After what runs until a signal: finishes the writes that were accepted. The connections stay. */
  async close(): Promise<void> {
    await this.#compacting
    await this.#application.close()
  }
}

/** Its lines say which of several stores they are about. */
function loggingOf(store: string, environment: Environment): Environment {
  return {
    ...environment,
    log: (level, message, fields) => environment.log(level, message, { store, ...fields }),
  }
}
