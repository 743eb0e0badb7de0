import type { Environment } from '../../environment.ts'
import { LIMITS } from '../../etcd/limits.ts'

/**
 * Calls `tick` every ten minutes plus up to a tenth of that, chosen once as etcd does, so that streams opened together
 * don't report together. Ends when the signal aborts.
 */
export async function tickProgress(
  { clock, random }: Environment,
  signal: AbortSignal,
  tick: () => void,
): Promise<void> {
  const intervalMs = LIMITS.watchProgressIntervalMs * (1 + random.fraction() / 10)
  for (;;) {
    await clock.sleep(intervalMs, signal)
    if (signal.aborted) return
    tick()
  }
}
