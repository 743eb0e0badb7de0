import { aroundSql } from './around-sql.ts'
import type { Sql, Statement } from './sql.ts'

/**
 * The same connections, and `answered` is told how long each statement took, in milliseconds, whether it succeeded or
 * not. Waiting for a connection counts.
 */
export function timedSql(sql: Sql, answered: (statement: Statement, tookMs: number) => void): Sql {
  return aroundSql(sql, async (run, statement) => {
    const startMs = performance.now()
    try {
      return await run()
    } finally {
      answered(statement, performance.now() - startMs)
    }
  })
}
