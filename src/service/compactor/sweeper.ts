import type { Environment } from '../../environment.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Store } from '../../store/store.ts'
import { errorText } from '../../thrown.ts'

/**
 * Frees the space of what was compacted, off the request path. It waits a moment first: a watch that is a little behind
 * the head still finds the revisions that a compaction has just overtaken.
 */
export class Sweeper {
  readonly #store: Store
  readonly #environment: Environment
  readonly #closing = new AbortController()
  #waiting = false
  #running: Promise<void> | undefined

  constructor(store: Store, environment: Environment) {
    this.#store = store
    this.#environment = environment
  }

  /** Sweeps after the moment; calls until then share it. */
  soon(): void {
    if (this.#waiting) return
    this.#waiting = true
    this.#running = this.#run()
  }

  /** Begins no further batch, and resolves when the last one is done. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#environment
    await clock.sleep(LIMITS.sweepDelayMs, this.#closing.signal)
    this.#waiting = false
    if (this.#closing.signal.aborted) return
    try {
      await this.#store.compaction.sweep(this.#closing.signal)
    } catch (error) {
      log('warn', 'freeing the space of a compaction goes on with the next one', {
        error: errorText(error),
      })
    }
  }
}
