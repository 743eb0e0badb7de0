import type { Clock } from '../environment.ts'
import type { StoreGauges, StoreSample } from './store-gauges.ts'

/** However often somebody scrapes, the database is asked no more often than this. */
const SAMPLE_INTERVAL_MS = 5_000
/** A scrape doesn't wait longer for it: the last values go out, or none. */
const SAMPLE_TIMEOUT_MS = 1_000

export interface StoreSamplerOptions {
  readonly gauges: StoreGauges
  readonly clock: Clock
  read(): Promise<StoreSample>
  /** How far this server's watches have come; undefined when none waits. */
  position(): bigint | undefined
}

/**
 * Asks the database for what the gauges show. The gauges belong to a process or isolate; a question that is under way
 * belongs to an application, which may live for one request and end without its answer.
 */
export class StoreSampler {
  readonly #options: StoreSamplerOptions
  #sampling: Promise<void> | undefined

  constructor(options: StoreSamplerOptions) {
    this.#options = options
  }

  /** Asks anew when the last answer is old; never fails, and never takes long. */
  async refresh(): Promise<void> {
    const { clock, gauges } = this.#options
    if (clock.now() - gauges.askedMs < SAMPLE_INTERVAL_MS) return
    this.#sampling ??= this.#ask().finally(() => {
      this.#sampling = undefined
    })
    const waited = new AbortController()
    await Promise.race([
      this.#sampling,
      clock.sleep(SAMPLE_TIMEOUT_MS, waited.signal).then(() => {
        if (this.#sampling !== undefined) gauges.gaveUp()
      }),
    ])
    waited.abort()
  }

  async #ask(): Promise<void> {
    const { clock, gauges, read, position } = this.#options
    try {
      const sample = await read()
      gauges.answered(sample, position(), clock.now())
    } catch {
      // Whoever reads the metrics sees it in them.
      gauges.failed(clock.now())
    }
  }
}
