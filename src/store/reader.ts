import { EtcdError } from '../etcd/errors.ts'
import { SERVER } from './authority.ts'
import { etcdFailure, readFailure } from './failure.ts'
import type { Sql, SqlParameter, SqlRow, Statement } from './sql.ts'
import type { Head } from './types.ts'

export interface ReaderOptions {
  readonly sql: Sql
  /** Ends the leases that are due; one run at a time for a process. */
  expireLeases(): Promise<void>
  /** Told of every answer's milliseconds to the next lease deadline (null: no lease). */
  leaseDue(dueMs: bigint | null): void
}

/** A pass ends a bounded number of leases; a crowd of them takes several. */
const EXPIRY_PASSES_MAX = 8

/**
 * Runs the statements that read, and the few that change something without being a revision. Each carries the head in its
 * first row, from its own snapshot: (…, revision, compact revision, auth version, ms to the next lease deadline) from a
 * column that the caller names.
 *
 * An answer from a moment at which the rights were others than those of the caller isn't given out: it fails with
 * AuthOldRevision. A statement that changes something holds itself to the version, so then it has changed nothing.
 *
 * An answer from a moment at which a lease was due isn't given out: the leases are ended first, then it is read again
 * (invariant 9: two statements more, in that case only).
 */
export class Reader {
  readonly #options: ReaderOptions
  readonly #authVersion: bigint

  constructor(options: ReaderOptions, authVersion = SERVER.authVersion) {
    this.#options = options
    this.#authVersion = authVersion
  }

  /** The same for a caller who was authorized under this version of the rights. */
  under(authVersion: bigint): Reader {
    return authVersion === this.#authVersion ? this : new Reader(this.#options, authVersion)
  }

  /** A short read. `headAt` is the column of the first row that holds the revision. Fails with an EtcdError. */
  read(statement: Statement, parameters: readonly SqlParameter[], headAt = 0): Promise<SqlRow[]> {
    return this.#run(() => this.#options.sql.read(statement, parameters), headAt)
  }

  /** A read that may take long, which never holds up a short one. */
  long(statement: Statement, parameters: readonly SqlParameter[], headAt = 0): Promise<SqlRow[]> {
    return this.#run(() => this.#options.sql.long(statement, parameters), headAt)
  }

  /** A statement that changes something but is no revision, so it doesn't travel in a batch: a lease call, an alarm. */
  write(statement: Statement, parameters: readonly SqlParameter[]): Promise<SqlRow[]> {
    return this.#run(() => this.#options.sql.write(statement, parameters), 0, false)
  }

  async #run(run: () => Promise<SqlRow[]>, headAt: number, mayRepeat = true): Promise<SqlRow[]> {
    const { expireLeases, leaseDue } = this.#options
    try {
      for (let passes = 0; ; passes++) {
        const rows = await run()
        this.#checkVersion(rows[0]?.[headAt + 2] as bigint | undefined)
        const dueMs = (rows[0]?.[headAt + 3] as bigint | null | undefined) ?? null
        if (dueMs === null || dueMs > 0n || !mayRepeat || passes === EXPIRY_PASSES_MAX) {
          leaseDue(dueMs)
          return rows
        }
        await expireLeases()
      }
    } catch (error) {
      throw mayRepeat ? readFailure(error) : etcdFailure(error)
    }
  }

  #checkVersion(found: bigint | undefined): void {
    if (this.#authVersion >= 0n && found !== this.#authVersion) throw EtcdError.of('AuthOldRevision')
  }
}

/** The head from the first row of an answer. */
export function headAt(rows: readonly SqlRow[], at = 0): Head {
  const row = rows[0]
  if (row === undefined) throw new Error('a statement gave no head row')
  return {
    revision: row[at] as bigint,
    compactRevision: row[at + 1] as bigint,
    authVersion: row[at + 2] as bigint,
  }
}
