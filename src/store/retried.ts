import type { Environment } from '../environment.ts'
import { LIMITS } from '../etcd/limits.ts'
import { aroundSql } from './around-sql.ts'
import { isRetriable } from './failure.ts'
import type { Sql } from './sql.ts'

/** Backoff between tries of what lost against another transaction, in milliseconds; multiplied by jitter. */
const RETRY_BACKOFF_MS = [1, 5, 20, 50, 100, 200]

/**
 * Runs a statement, and runs it again while it loses against other transactions, which is known to have changed nothing
 * (invariant 10), as long as whoever waits for it since `since` still does.
 */
export async function retried<T>(
  run: () => Promise<T>,
  { clock, random }: Environment,
  since = clock.now(),
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await run()
    } catch (error) {
      const pause = RETRY_BACKOFF_MS[Math.min(tries, RETRY_BACKOFF_MS.length - 1)] ?? 0
      const inTime = clock.now() + pause - since < LIMITS.requestTimeoutMs
      if (!isRetriable(error) || !inTime) throw error
      await clock.sleep(pause * (0.5 + random.fraction()))
    }
  }
}

/** The same connections, whose statements are run again as `retried` does. */
export function retriedSql(sql: Sql, environment: Environment): Sql {
  return aroundSql(sql, (run) => retried(run, environment))
}
