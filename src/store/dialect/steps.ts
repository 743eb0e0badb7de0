import { setTimeout } from 'node:timers/promises'
import { type Client, type ClientConfig, DatabaseError } from 'pg'
import { onConnection } from '../transaction.ts'

/**
 * What a server is told that changes the schema at the same moment as another: it lost against the other (serialization
 * failure, deadlock), its catalog was behind (internal error), or what it was about to make was there.
 */
const OTHERS_AT_IT = new Set(['40001', '40P01', 'XX000', '23505', '42P06', '42P07', '42701', '42710'])

/** How often it is begun again, and how long it waits for the others, in milliseconds; multiplied by jitter. */
const TRIES = 12
const PAUSE_MS = [50, 100, 200, 500, 1000, 2000]

/**
 * Does the work in steps of which each may be done again, on an engine whose transactions don't hold what they create: all
 * of it anew, on a connection of its own, when another server was at it too.
 */
export async function inSteps(config: ClientConfig, work: (client: Client) => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await onConnection(config, work)
    } catch (error) {
      const again = error instanceof DatabaseError && OTHERS_AT_IT.has(error.code ?? '')
      if (!again || tries === TRIES) throw error
      const pause = PAUSE_MS[Math.min(tries, PAUSE_MS.length) - 1] ?? 0
      await setTimeout(pause * (0.5 + Math.random()))
    }
  }
}
