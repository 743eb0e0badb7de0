import { type Alarm, alarmsIn } from './alarms.ts'
import { headAt, type Reader } from './reader.ts'
import { type ScheduledRunsStatus, scheduledRunsAt } from './scheduled-runs.ts'
import type { Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import statusSql from './statements/status.sql'
import type { Head } from './types.ts'

export interface StoreStatus {
  readonly head: Head
  /** What the tables and indexes take on disk, in bytes. */
  readonly size: bigint
  /** How much of that isn't waiting to be freed or reused: an estimate. */
  readonly sizeInUse: bigint
  /** What was compacted has been removed up to here. */
  readonly sweptRevision: bigint
  readonly scheduledRuns: ScheduledRunsStatus
  readonly alarms: readonly Alarm[]
}

/** Reads how the store is doing, in one statement. */
export class StatusReader {
  readonly #reader: Reader
  readonly #status: Statement

  constructor(reader: Reader, statement: StatementFactory) {
    this.#reader = reader
    this.#status = statement('status', statusSql, [])
  }

  async read(): Promise<StoreStatus> {
    const rows = await this.#reader.read(this.#status, [])
    return {
      head: headAt(rows),
      size: rows[0]?.[4] as bigint,
      sizeInUse: rows[0]?.[5] as bigint,
      sweptRevision: rows[0]?.[6] as bigint,
      scheduledRuns: scheduledRunsAt(rows[0], 7),
      alarms: alarmsIn(rows, 11),
    }
  }
}
