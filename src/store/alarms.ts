import type { Authority } from './authority.ts'
import { headAt, type Reader } from './reader.ts'
import type { SqlRow, Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import clearSql from './statements/alarm-clear.sql'
import listSql from './statements/alarm-list.sql'
import raiseSql from './statements/alarm-raise.sql'
import type { Head } from './types.ts'

/** An alarm of a member, by etcd's number of its kind: 1 NOSPACE, 2 CORRUPT, or any other that a client raised. */
export interface Alarm {
  readonly memberId: bigint
  readonly alarm: number
}

/**
 * The alarms: each call is one statement. What they refuse is tested where it is written (apply.sql, lease-grant.sql).
 * Member ids are unsigned 64-bit numbers, the database's are signed.
 */
export class Alarms {
  readonly #reader: Reader
  readonly #authVersion: bigint
  readonly #list: Statement
  readonly #raise: Statement
  readonly #clear: Statement

  constructor(reader: Reader, statement: StatementFactory, { authVersion }: Authority) {
    this.#reader = reader
    this.#authVersion = authVersion
    this.#list = statement('alarm list', listSql, ['int4'])
    this.#raise = statement('alarm raise', raiseSql, ['int4', 'int8', 'int8'])
    this.#clear = statement('alarm clear', clearSql, ['int4', 'int8', 'int8'])
  }

  /** The alarms of one kind that are raised; 0: of all kinds. */
  async list(kind: number): Promise<{ head: Head; alarms: Alarm[] }> {
    const rows = await this.#reader.read(this.#list, [kind])
    return { head: headAt(rows), alarms: alarmsIn(rows, 4) }
  }

  /** Raises an alarm, if it isn't raised already. */
  async raise({ alarm, memberId }: Alarm): Promise<Head> {
    return headAt(await this.#write(this.#raise, alarm, memberId))
  }

  /** Clears an alarm; tells whether it was raised. */
  async clear({ alarm, memberId }: Alarm): Promise<{ head: Head; wasRaised: boolean }> {
    const rows = await this.#write(this.#clear, alarm, memberId)
    return { head: headAt(rows), wasRaised: rows[0]?.[4] === true }
  }

  #write(statement: Statement, alarm: number, memberId: bigint): Promise<SqlRow[]> {
    return this.#reader.write(statement, [alarm, BigInt.asIntN(64, memberId), this.#authVersion])
  }
}

/** The alarms in the rows after the head row: kind and member from column `at` on. */
export function alarmsIn(rows: readonly SqlRow[], at: number): Alarm[] {
  return rows.slice(1).map((row) => ({
    alarm: row[at] as number,
    memberId: BigInt.asUintN(64, row[at + 1] as bigint),
  }))
}
