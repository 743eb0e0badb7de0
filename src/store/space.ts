import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { etcdFailure } from './failure.ts'
import type { Sql, SqlRow, Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import quotaSql from './statements/quota.sql'
import rewriteAllowedSql from './statements/rewrite-allowed.sql'
import rewriteKvSql from './statements/rewrite-kv.sql'
import rewriteLogSql from './statements/rewrite-log.sql'

export interface QuotaCheck {
  /** What the tables and indexes take on disk, in bytes. */
  readonly size: bigint
  /** Whether NOSPACE was raised by this check. */
  readonly raised: boolean
}

const REWRITE_NOT_ALLOWED =
  "etcdserver: the role that edgetcd has in the database may not defragment: that is for the tables' owner"

/** What the store takes on disk, and how some of it is given back. */
export class Space {
  readonly #sql: Sql
  readonly #quota: Statement
  readonly #rewriteAllowed: Statement
  readonly #rewrites: readonly Statement[]

  constructor(sql: Sql, statement: StatementFactory) {
    this.#sql = sql
    this.#quota = statement('quota', quotaSql, ['int8'])
    this.#rewriteAllowed = statement('rewrite allowed', rewriteAllowedSql, [])
    this.#rewrites = [statement('rewrite kv', rewriteKvSql, []), statement('rewrite log', rewriteLogSql, [])]
  }

  /**
   * Raises NOSPACE when the store takes `quotaBytes` or more, in one statement.
   * @throws EtcdError
   */
  async checkQuota(quotaBytes: bigint): Promise<QuotaCheck> {
    const [row] = await this.#run(() => this.#sql.write(this.#quota, [quotaBytes]))
    return { size: row?.[0] as bigint, raised: row?.[1] === true }
  }

  /**
   * Gives what is free in the files back to the system, table by table; nobody uses a table meanwhile.
   * @throws EtcdError, also when the database's role may not do that
   */
  async rewrite(): Promise<void> {
    const [row] = await this.#run(() => this.#sql.read(this.#rewriteAllowed, []))
    if (row?.[0] !== true) throw new EtcdError(GrpcCode.FailedPrecondition, REWRITE_NOT_ALLOWED)
    for (const statement of this.#rewrites) await this.#run(() => this.#sql.long(statement, []))
  }

  async #run(run: () => Promise<SqlRow[]>): Promise<SqlRow[]> {
    try {
      return await run()
    } catch (error) {
      throw etcdFailure(error)
    }
  }
}
