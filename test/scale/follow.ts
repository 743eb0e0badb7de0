import { statementsOf } from '../statements/sent.ts'
import type { Gateway } from '../support/gateway.ts'
import type { Postgres } from '../support/postgres.ts'
import { startWaiters, writeSteadily } from './waiters.ts'

export const WRITES_PER_SECOND = 2

export interface FollowOptions {
  readonly count: number
  readonly seconds: number
  /** Where the waiters poll, if that isn't the server itself. */
  readonly pollUrl?: string
}

/**
 * Lets `count` waiters follow a prefix while somebody writes to it, WRITES_PER_SECOND revisions. Fails unless each of them
 * sees each revision once, in order. Gives the statements that PostgreSQL saw, the writer's included.
 */
export async function follow(
  postgres: Postgres,
  gateway: Gateway,
  { count, seconds, pollUrl = gateway.url }: FollowOptions,
): Promise<number> {
  const prefix = `/scale/${count}/`
  const startRevision = (await gateway.put(prefix, 'the first')) + 1
  const waiters = await startWaiters({ url: pollUrl, prefix, startRevision, count, wait: 30 })
  try {
    let last = 0
    // To connect a thousand takes longer than a hundred, and so it may be with the last answers; the log is read all the while.
    const statements = await statementsOf(postgres, async () => {
      last = await writeSteadily(gateway, { prefix, perSecond: WRITES_PER_SECOND, seconds })
    })
    await waiters.seen(last)
    return statements.length
  } finally {
    waiters.close()
  }
}
