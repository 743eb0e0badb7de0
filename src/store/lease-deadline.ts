import type { Environment } from '../environment.ts'

/** The longest timer; also what keeps the delay within what a timer takes. */
const TIMER_MS_MAX = 3_600_000
/** After a look that failed (the database is away), look again after this. */
const RETRY_MS = 1_000

/**
 * Looks at the store when the next lease is due, so that keys vanish on time even when nobody asks. The look itself
 * ends what is due (see Reader). Every answer of the store says when that is; a process that serves one request only
 * has no use for a timer.
 */
export class LeaseDeadline {
  readonly #environment: Environment
  readonly #enabled: boolean
  readonly #look: () => Promise<void>
  #timer: { readonly at: number; readonly abort: AbortController } | undefined
  #closed = false

  constructor(environment: Environment, enabled: boolean, look: () => Promise<void>) {
    this.#environment = environment
    this.#enabled = enabled
    this.#look = look
  }

  /** A lease is due in `dueMs` (null: there is none). Keeps the earliest deadline it was told of. */
  observe(dueMs: bigint | null): void {
    if (!this.#enabled || this.#closed || dueMs === null) return
    const { clock } = this.#environment
    const inMs = dueMs < 0n ? 0 : dueMs > BigInt(TIMER_MS_MAX) ? TIMER_MS_MAX : Number(dueMs) + 1
    const at = clock.now() + inMs
    if (this.#timer !== undefined) {
      if (this.#timer.at <= at) return
      this.#timer.abort.abort()
    }
    const abort = new AbortController()
    this.#timer = { at, abort }
    void clock.sleep(inMs, abort.signal).then(async () => {
      if (!abort.signal.aborted) await this.#fire()
    })
  }

  close(): void {
    this.#closed = true
    this.#timer?.abort.abort()
  }

  async #fire(): Promise<void> {
    this.#timer = undefined
    try {
      await this.#look()
    } catch {
      // Whoever uses the store meanwhile sees and reports the same failure; here it only means to look again.
      this.observe(BigInt(RETRY_MS))
    }
  }
}
