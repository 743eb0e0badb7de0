import { LIMITS } from '../etcd/limits.ts'
import { etcdFailure } from './failure.ts'
import type { Sql, Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import noteRevisionSql from './statements/note-revision.sql'
import sweepSql from './statements/sweep.sql'

/** Removes what compaction made unreachable, and keeps the notes that periodic retention works by (invariant 8). */
export class Compaction {
  readonly #sql: Sql
  readonly #sweep: Statement
  readonly #note: Statement

  constructor(sql: Sql, statement: StatementFactory) {
    this.#sql = sql
    this.#sweep = statement('sweep', sweepSql, ['int4'])
    this.#note = statement('note revision', noteRevisionSql, ['int8'])
  }

  /**
   * Sweeps batch by batch until nothing is left or `signal` aborts. May run anywhere, any number of times, and be cut
   * off at any point. Gives the number of batches.
   * @throws EtcdError
   */
  async sweep(signal?: AbortSignal): Promise<number> {
    try {
      for (let batches = 1; ; batches++) {
        const rows = await this.#sql.write(this.#sweep, [LIMITS.compactionRowsPerBatch])
        if (rows[0]?.[0] !== true || signal?.aborted === true) return batches
      }
    } catch (error) {
      throw etcdFailure(error)
    }
  }

  /**
   * Notes which revision is current now, and gives the newest one that was noted at least `seconds` ago.
   * @throws EtcdError
   */
  async noteRevision(seconds: bigint): Promise<bigint | undefined> {
    try {
      const rows = await this.#sql.write(this.#note, [seconds])
      return rows[0]?.[0] as bigint | undefined
    } catch (error) {
      throw etcdFailure(error)
    }
  }
}
