import { EtcdError } from './etcd/errors.ts'

/** Lets a bounded number of things happen at a time; the others wait their turn. */
export class Slots {
  private free: number
  private readonly queue = new Set<() => void>()

  constructor(size: number) {
    this.free = size
  }

  /** Runs `work` in a slot of its own. Fails with `Canceled` when the signal aborts while it waits for one. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    await this.take(signal)
    return await this.holding(work)
  }

  /** The same, but who has waited for a slot for `waitMs` milliseconds fails with what `tooLate` makes. */
  async runWithin<T>(
    waitMs: number,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
    tooLate: (cause: unknown) => Error,
  ): Promise<T> {
    if (this.free > 0) return await this.run(signal, work)
    const patience = AbortSignal.timeout(waitMs)
    try {
      await this.take(signal === undefined ? patience : AbortSignal.any([signal, patience]))
    } catch (error) {
      throw signal?.aborted === true ? error : tooLate(error)
    }
    return await this.holding(work)
  }

  private async holding<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } finally {
      this.give()
    }
  }

  private take(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(EtcdError.of('Canceled'))
      if (this.free > 0) {
        this.free--
        return resolve()
      }
      const abort = () => {
        this.queue.delete(enter)
        reject(EtcdError.of('Canceled'))
      }
      const enter = () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.queue.add(enter)
    })
  }

  private give(): void {
    const [next] = this.queue
    if (next === undefined) {
      this.free++
      return
    }
    this.queue.delete(next)
    next()
  }
}
