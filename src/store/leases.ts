import { EtcdError } from '../etcd/errors.ts'
import { headAt, type Reader } from './reader.ts'
import type { SqlRow, Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import grantSql from './statements/lease-grant.sql'
import keepAliveSql from './statements/lease-keep-alive.sql'
import leasesSql from './statements/lease-leases.sql'
import timeToLiveSql from './statements/lease-time-to-live.sql'
import type { Head } from './types.ts'

export interface LeaseTimeToLive {
  readonly head: Head
  /** Undefined: there is no such lease. Seconds. */
  readonly lease:
    | { readonly grantedTtl: bigint; readonly ttl: bigint; readonly keys: Uint8Array[] }
    | undefined
}

/** The column of a lease call that tells whether the lease itself is due. */
const IS_DUE = 5

/** Lease calls that are no revision: each is one statement and takes no write lock (invariant 9). */
export class Leases {
  readonly #reader: Reader
  readonly #expireLeases: () => Promise<void>
  readonly #leaseDue: (dueMs: bigint) => void
  readonly #grant: Statement
  readonly #keepAlive: Statement
  readonly #timeToLive: Statement
  readonly #leases: Statement

  constructor(
    reader: Reader,
    statement: StatementFactory,
    hooks: { expireLeases(): Promise<void>; leaseDue(dueMs: bigint): void },
  ) {
    this.#reader = reader
    this.#expireLeases = hooks.expireLeases
    this.#leaseDue = hooks.leaseDue
    this.#grant = statement('lease grant', grantSql, ['int8', 'int8'])
    this.#keepAlive = statement('lease keep-alive', keepAliveSql, ['int8'])
    this.#timeToLive = statement('lease time to live', timeToLiveSql, ['int8', 'bool'])
    this.#leases = statement('lease leases', leasesSql, [])
  }

  /**
   * Grants a lease of `ttl` seconds.
   * @throws EtcdError LeaseExist, or NoSpace or Corrupt when such an alarm is raised
   */
  async grant(id: bigint, ttl: bigint): Promise<Head> {
    const rows = await this.#unlessDue(this.#grant, [id, ttl])
    const refusedBy = (rows[0]?.[6] as number | null | undefined) ?? null
    if (refusedBy !== null) throw EtcdError.of(refusedBy === 1 ? 'NoSpace' : 'Corrupt')
    if (rows[0]?.[4] !== true) throw EtcdError.of('LeaseExist')
    this.#leaseDue(ttl * 1000n)
    return headAt(rows)
  }

  /** Starts the lease's TTL anew. Gives the TTL in seconds, 0n when there is no such lease; the head is from before. */
  async keepAlive(id: bigint): Promise<{ head: Head; ttl: bigint }> {
    const rows = await this.#unlessDue(this.#keepAlive, [id])
    return { head: headAt(rows), ttl: (rows[0]?.[4] as bigint | null) ?? 0n }
  }

  /** What is left of a lease, and with `keys` the keys that it holds, in key order. */
  async timeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLive> {
    const rows = await this.#reader[keys ? 'long' : 'read'](this.#timeToLive, [id, keys])
    const grantedTtl = (rows[0]?.[4] as bigint | null) ?? null
    const lease =
      grantedTtl === null
        ? undefined
        : {
            grantedTtl,
            ttl: rows[0]?.[5] as bigint,
            keys: rows.slice(1).map((row) => row[6] as Uint8Array),
          }
    return { head: headAt(rows), lease }
  }

  /** The ids of all leases, the one with the least time left first. */
  async leases(): Promise<{ head: Head; ids: bigint[] }> {
    const rows = await this.#reader.read(this.#leases, [])
    return { head: headAt(rows), ids: rows.slice(1).map((row) => row[4] as bigint) }
  }

  /** Runs a lease call; where the lease is due but not ended yet, ends it first and makes the call again. */
  async #unlessDue(statement: Statement, parameters: readonly bigint[]): Promise<SqlRow[]> {
    const rows = await this.#reader.leaseWrite(statement, parameters)
    if (rows[0]?.[IS_DUE] !== true) return rows
    await this.#expireLeases()
    return this.#reader.leaseWrite(statement, parameters)
  }
}
