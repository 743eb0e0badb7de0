import { ConfigError } from '../config/config-error.ts'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { aroundSql } from '../store/around-sql.ts'
import { type Sql, SqlError } from '../store/sql.ts'
import type { CoordinatorRpc } from './coordinator/protocol.ts'

/** Cloudflare's limit on its free plan: nobody has less. */
const MAX_DEFAULT = 50

/** With fewer than these no call is sure to come to its end. */
const MAX_LEAST = 10

/** Kept for what has to be done when waiting is over, like taking back the key of whoever waited for a lock. */
const RESERVE = 8

const NONE_LEFT =
  'edgetcd: the call asks for more than a Worker may ask of others in one request (SUBREQUESTS_MAX)'

/**
 * What one request of a Worker may still ask of others. By Cloudflare's documentation the request after the last one fails:
 * 50 of them on the free plan, 10,000 on the paid one. Before that, what waits is ended, as long as there is enough left to end
 * it well.
 */
export class Subrequests {
  #left: number
  readonly #scarce = new AbortController()

  /**
   * @param max how many there are, as the Worker's variable says; undefined: as many as on the free plan
   * @throws ConfigError
   */
  constructor(max: unknown) {
    this.#left = readMax(max)
  }

  /** Aborts when only the reserve is left. */
  get scarce(): AbortSignal {
    return this.#scarce.signal
  }

  /**
   * Counts one that is about to be sent.
   * @throws EtcdError (ResourceExhausted) when none is left: then it must not be sent
   */
  spend(): void {
    if (this.#left === 0) throw new EtcdError(GrpcCode.ResourceExhausted, NONE_LEFT)
    this.#left--
    if (this.#left <= RESERVE) this.#scarce.abort()
  }

  /** Counts one that was sent without asking. */
  lose(): void {
    if (this.#left > 0) this.spend()
  }
}

function readMax(max: unknown): number {
  if (max === undefined || max === '') return MAX_DEFAULT
  const number = Number(max)
  if (Number.isSafeInteger(number) && number >= MAX_LEAST) return number
  throw new ConfigError(`SUBREQUESTS_MAX must be a number from ${MAX_LEAST} on, not ${JSON.stringify(max)}`)
}

/**
 * The same database, counted. `each` says what is a subrequest: a `statement` where it travels as a request of its own, or the
 * `connection` on which all of them travel. One that failed on its way was sent twice, or has cost a connection.
 */
export function countedSql(sql: Sql, subrequests: Subrequests, each: 'statement' | 'connection'): Sql {
  let isConnected = false
  return aroundSql(sql, async (run) => {
    if (each === 'statement' || !isConnected) subrequests.spend()
    isConnected = true
    try {
      return await run()
    } catch (error) {
      if (error instanceof SqlError && error.kind !== 'failed') {
        isConnected = false
        subrequests.lose()
      }
      throw error
    }
  })
}

/** The same coordinator, counted: each call of it is a subrequest, however many pages it gives. */
export function countedCoordinator(object: CoordinatorRpc, subrequests: Subrequests): CoordinatorRpc {
  return {
    async write(write) {
      subrequests.spend()
      return await object.write(write)
    },
    async next(query, waitMs, waiter) {
      subrequests.spend()
      return await object.next(query, waitMs, waiter)
    },
    async follow(query, waiter, take) {
      subrequests.spend()
      return await object.follow(query, waiter, take)
    },
    async leave(waiter) {
      subrequests.spend()
      await object.leave(waiter)
    },
    async state() {
      subrequests.spend()
      return await object.state()
    },
  }
}
