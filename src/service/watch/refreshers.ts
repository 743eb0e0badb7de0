import type { Clock } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'

interface Refresher {
  /** The head of the first read begun after it asked; reached is enough. */
  target: bigint | undefined
  /** Whether a read has begun since it asked. */
  covered: boolean
  readonly giveUpAtMs: number
  resolve(revision: bigint): void
  reject(error: unknown): void
}

/** Those who wait for a read of the log that begins after they asked, and for the tail to come to its head. */
export class Refreshers {
  private readonly waiting = new Set<Refresher>()
  private readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  get size(): number {
    return this.waiting.size
  }

  /** Fails with `Canceled` when the signal aborts, and with the error of a read that fails after `giveUpAtMs`. */
  add(signal: AbortSignal, giveUpAtMs = Number.POSITIVE_INFINITY): Promise<bigint> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(EtcdError.of('Canceled'))
        return
      }
      const leave = () => {
        this.waiting.delete(refresher)
        signal.removeEventListener('abort', abort)
      }
      const refresher: Refresher = {
        target: undefined,
        covered: false,
        giveUpAtMs,
        resolve: (revision) => {
          leave()
          resolve(revision)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      const abort = () => refresher.reject(EtcdError.of('Canceled'))
      signal.addEventListener('abort', abort, { once: true })
      this.waiting.add(refresher)
    })
  }

  readBegins(): void {
    for (const refresher of this.waiting) refresher.covered = true
  }

  /** The read found `head`, and everything through `position` is delivered. */
  readSucceeded(head: bigint, position: bigint): void {
    for (const refresher of this.waiting) {
      if (refresher.covered) refresher.target ??= head
      if (refresher.target !== undefined && refresher.target <= position) refresher.resolve(position)
    }
  }

  readFailed(error: unknown): void {
    const nowMs = this.clock.now()
    for (const refresher of this.waiting) {
      if (refresher.giveUpAtMs <= nowMs) refresher.reject(error)
    }
  }
}
