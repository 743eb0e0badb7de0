/**
 * Calls that still have work to do after their clients were answered or have gone. Whoever closes what they work with
 * waits for them first.
 */
export class RunningCalls {
  readonly #running = new Set<Promise<unknown>>()

  /** Runs a call, and counts it as running until it has ended. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const running = call()
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  /** Resolves when all calls that run now have ended, however they did. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running)
  }
}
