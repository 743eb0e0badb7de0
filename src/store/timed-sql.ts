import type { Sql, SqlRow, Statement } from './sql.ts'

/**
 * The same connections, and `answered` is told how long each statement took, in milliseconds, whether it succeeded or
 * not. Waiting for a connection counts.
 */
export function timedSql(sql: Sql, answered: (statement: Statement, tookMs: number) => void): Sql {
  const timed =
    (run: Sql['read']): Sql['read'] =>
    async (statement, parameters): Promise<SqlRow[]> => {
      const startMs = performance.now()
      try {
        return await run(statement, parameters)
      } finally {
        answered(statement, performance.now() - startMs)
      }
    }
  return {
    read: timed((statement, parameters) => sql.read(statement, parameters)),
    long: timed((statement, parameters) => sql.long(statement, parameters)),
    // A batch is timed where its requests are known.
    write: timed((statement, parameters) => sql.write(statement, parameters)),
    close: () => sql.close(),
  }
}
