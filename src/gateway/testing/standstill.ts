import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Resolves when a count has not changed for `intervalMs` milliseconds, once it has begun: when it is above zero, unless
 * something else tells.
 */
export async function standstill(
  count: () => number,
  intervalMs: number,
  hasBegun = () => count() > 0,
): Promise<void> {
  for (let before = Number.NaN; before !== count() || !hasBegun(); ) {
    before = count()
    await sleep(intervalMs)
  }
}
