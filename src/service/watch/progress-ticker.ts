import type { Environment } from '../../environment.ts'

/**
 * Calls `tick` every `intervalMs` milliseconds plus up to a tenth of that, chosen once as etcd does, so that streams opened together
 * don't report together. Ends when the signal aborts.
 */
export async function tickProgress(
  { clock, random }: Environment,
  intervalMs: number,
  signal: AbortSignal,
  tick: () => void,
): Promise<void> {
  const pauseMs = intervalMs * (1 + random.fraction() / 10)
  for (;;) {
    await clock.sleep(pauseMs, signal)
    if (signal.aborted) return
    tick()
  }
}
