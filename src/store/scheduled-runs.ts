import { etcdFailure } from './failure.ts'
import type { Sql, SqlParameter, SqlRow, Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import beganSql from './statements/note-run-began.sql'
import endedSql from './statements/note-run-ended.sql'

/** How the runs of the scheduled trigger went; times in milliseconds of the epoch, undefined where there was none. */
export interface ScheduledRunsStatus {
  readonly beganMs: bigint | undefined
  /** Earlier than `beganMs`: a run is under way, or was cut off. */
  readonly endedMs: bigint | undefined
  readonly succeededMs: bigint | undefined
  /** The steps that failed in the last run that ended. */
  readonly failedSteps: readonly string[]
}

/** Remembers how the runs of the scheduled trigger went, for those that come after it. All fail with an EtcdError. */
export class ScheduledRuns {
  readonly #sql: Sql
  readonly #began: Statement
  readonly #ended: Statement

  constructor(sql: Sql, statement: StatementFactory) {
    this.#sql = sql
    this.#began = statement('note run began', beganSql, [])
    this.#ended = statement('note run ended', endedSql, ['text'])
  }

  /** A run begins. */
  async began(): Promise<void> {
    await this.#write(this.#began, [])
  }

  /** A run has ended; `failedSteps` are words without spaces. */
  async ended(failedSteps: readonly string[]): Promise<void> {
    await this.#write(this.#ended, [failedSteps.join(' ')])
  }

  async #write(statement: Statement, parameters: readonly SqlParameter[]): Promise<void> {
    try {
      await this.#sql.write(statement, parameters)
    } catch (error) {
      throw etcdFailure(error)
    }
  }
}

/** What a row tells of the runs, from column `at` on. */
export function scheduledRunsAt(row: SqlRow | undefined, at: number): ScheduledRunsStatus {
  const [beganMs, endedMs, succeededMs, failedSteps] = row?.slice(at, at + 4) ?? []
  const time = (ms: SqlRow[number] | undefined) => (ms as bigint | null | undefined) ?? undefined
  return {
    beganMs: time(beganMs),
    endedMs: time(endedMs),
    succeededMs: time(succeededMs),
    failedSteps: String(failedSteps ?? '')
      .split(' ')
      .filter((step) => step !== ''),
  }
}
