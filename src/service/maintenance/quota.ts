import type { Environment } from '../../environment.ts'
import type { QuotaCheck } from '../../store/space.ts'
import { errorText } from '../../thrown.ts'

/** What of the store a quota needs. */
export interface QuotaStore {
  readonly space: { checkQuota(quotaBytes: bigint): Promise<QuotaCheck> }
}

/** How soon after a write the size is looked at, at the latest; and when the quota may be near, at the soonest. */
const CHECK_INTERVAL_MS = 5_000
const CHECK_INTERVAL_MIN_MS = 200

/** A key's record and its place in the indexes come on top of its bytes, which may be stored twice. */
const BYTES_PER_WRITE = 256
const BYTES_STORED_PER_BYTE = 3

/**
 * etcd's space quota: NOSPACE is raised when the store has grown to it, and stays until somebody clears it. etcd weighs
 * each request against the size of its file. Here the size is a question to the database, asked some time after writes:
 * the nearer the quota may be, the sooner. When nobody writes nothing is asked.
 */
export class Quota {
  readonly #store: QuotaStore
  readonly #quotaBytes: bigint
  readonly #environment: Environment
  readonly #closing = new AbortController()
  /** What may still be written before the size must be looked at again; nobody knows yet. */
  #headroomBytes = 0
  #running: Promise<void> | undefined
  #hurry = new AbortController()

  constructor(store: QuotaStore, quotaBytes: bigint, environment: Environment) {
    this.#store = store
    this.#quotaBytes = quotaBytes
    this.#environment = environment
  }

  /** Told of what was written: how many requests, with how many bytes of keys and values. */
  written(requests: number, bytes: number): void {
    this.#headroomBytes -= requests * BYTES_PER_WRITE + bytes * BYTES_STORED_PER_BYTE
    if (this.#headroomBytes <= 0) this.#hurry.abort()
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Looks at the size now, and raises the alarm if need be. */
  async check(): Promise<void> {
    const { size, raised } = await this.#store.space.checkQuota(this.#quotaBytes)
    // Half of what is left: other servers write, too.
    this.#headroomBytes = Number(this.#quotaBytes - size) / 2
    if (!raised) return
    this.#environment.log('warn', 'the store has reached its quota: NOSPACE is raised', {
      size: String(size),
      quota: String(this.#quotaBytes),
    })
  }

  /** Asks nothing more, and resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#hurry.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#environment
    await clock.sleep(CHECK_INTERVAL_MIN_MS, this.#closing.signal)
    await clock.sleep(CHECK_INTERVAL_MS - CHECK_INTERVAL_MIN_MS, this.#hurry.signal)
    if (this.#closing.signal.aborted) return
    this.#hurry = new AbortController()
    try {
      await this.check()
    } catch (error) {
      log('debug', 'the size of the store is looked at after the next write', {
        error: errorText(error),
      })
    }
  }
}
