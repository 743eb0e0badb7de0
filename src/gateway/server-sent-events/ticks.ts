import type { Clock } from '../../environment.ts'

/** Gives a tick for every `ms` milliseconds in which the promise is still unsettled. Never fails. */
export async function* ticksUntil(
  settled: Promise<unknown>,
  ms: number,
  clock: Clock,
): AsyncGenerator<void, void, undefined> {
  const waiting = new AbortController()
  const stop = () => waiting.abort()
  settled.then(stop, stop)
  for (;;) {
    await clock.sleep(ms, waiting.signal)
    if (waiting.signal.aborted) return
    yield
  }
}
