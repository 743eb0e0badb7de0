import { EtcdError } from '../etcd/errors.ts'
import { type Authority, intervalParameters } from './authority.ts'
import { headAt, type Reader } from './reader.ts'
import type { SqlParameter, SqlRow, Statement } from './sql.ts'
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

export interface LeaseHooks {
  /** Ends the leases that are due. */
  expireLeases(): Promise<void>
  /** Told of a new deadline, in milliseconds from now. */
  leaseDue(dueMs: bigint): void
}

/** Lease calls that are no revision: each is one statement and takes no write lock (invariant 9). */
export class Leases {
  readonly #reader: Reader
  readonly #hooks: LeaseHooks
  readonly #authority: Authority
  readonly #grant: Statement
  readonly #keepAlive: Statement
  readonly #timeToLive: Statement
  readonly #leases: Statement

  constructor(reader: Reader, statement: StatementFactory, hooks: LeaseHooks, authority: Authority) {
    this.#reader = reader
    this.#hooks = hooks
    this.#authority = authority
    this.#grant = statement('lease grant', grantSql, ['int8', 'int8', 'int8'])
    this.#keepAlive = statement('lease keep-alive', keepAliveSql, ['int8', 'int8', 'bytea[]', 'bytea[]'])
    this.#timeToLive = statement('lease time to live', timeToLiveSql, ['int8', 'bool'])
    this.#leases = statement('lease leases', leasesSql, ['bytea[]', 'bytea[]'])
  }

  /**
   * Grants a lease of `ttl` seconds.
   * @throws EtcdError LeaseExist, or NoSpace or Corrupt when such an alarm is raised
   */
  async grant(id: bigint, ttl: bigint): Promise<Head> {
    const rows = await this.#unlessDue(this.#grant, [id, ttl, this.#authority.authVersion])
    const refusedBy = (rows[0]?.[6] as number | null | undefined) ?? null
    if (refusedBy !== null) throw EtcdError.of(refusedBy === 1 ? 'NoSpace' : 'Corrupt')
    if (rows[0]?.[4] !== true) throw EtcdError.of('LeaseExist')
    this.#hooks.leaseDue(ttl * 1000n)
    return headAt(rows)
  }

  /**
   * Starts the lease's TTL anew. Gives the TTL in seconds, 0n when there is no such lease; the head is from before.
   * @throws EtcdError PermissionDenied, when the lease holds a key that the caller may not write
   */
  async keepAlive(id: bigint): Promise<{ head: Head; ttl: bigint }> {
    const { authVersion, unwritable } = this.#authority
    const rows = await this.#unlessDue(this.#keepAlive, [id, authVersion, ...intervalParameters(unwritable)])
    if (rows[0]?.[6] === true) throw EtcdError.of('PermissionDenied')
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

  /**
   * The ids of all leases, the one with the least time left first.
   * @throws EtcdError PermissionDenied, when some lease holds a key that the caller may not read
   */
  async leases(): Promise<{ head: Head; ids: bigint[] }> {
    const rows = await this.#reader.read(this.#leases, intervalParameters(this.#authority.unreadable))
    if (rows[0]?.[4] === true) throw EtcdError.of('PermissionDenied')
    return { head: headAt(rows), ids: rows.slice(1).map((row) => row[5] as bigint) }
  }

  /** Runs a lease call; where the lease is due but not ended yet, ends it first and makes the call again. */
  async #unlessDue(statement: Statement, parameters: readonly SqlParameter[]): Promise<SqlRow[]> {
    const rows = await this.#reader.write(statement, parameters)
    if (rows[0]?.[IS_DUE] !== true) return rows
    await this.#hooks.expireLeases()
    return this.#reader.write(statement, parameters)
  }
}
