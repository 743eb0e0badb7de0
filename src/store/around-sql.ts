import type { Sql, SqlRow, Statement } from './sql.ts'

/** Runs a statement that is about to be sent, or does not, and gives what comes of it. */
export type Around = (run: () => Promise<SqlRow[]>, statement: Statement) => Promise<SqlRow[]>

/** The same connections, and `around` each statement that is sent on them. */
export function aroundSql(sql: Sql, around: Around): Sql {
  return {
    read: (statement, parameters) => around(() => sql.read(statement, parameters), statement),
    long: (statement, parameters) => around(() => sql.long(statement, parameters), statement),
    write: (statement, parameters) => around(() => sql.write(statement, parameters), statement),
    close: () => sql.close(),
  }
}
