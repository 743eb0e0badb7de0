import type { Log } from '../environment.ts'
import { errorText } from '../thrown.ts'
import { aroundSql } from './around-sql.ts'
import { isRetriable } from './failure.ts'
import { type Sql, SqlError } from './sql.ts'

/** What it means to whoever runs the server. */
const MEANINGS = {
  unreachable: "the database can't be reached, or doesn't let edgetcd in",
  unknown: 'the connection to the database was lost, or no answer came in time',
  failed: 'the database refused a statement',
} as const satisfies Readonly<Record<SqlError['kind'], string>>

/** An error may have the page in it that a proxy answered with. */
const TEXT_MAX = 500

/** Data exceptions quote the data, which is nobody's to see. */
const QUOTES_DATA = /^22/

/** Secrets are in connection strings, and nothing else that an error may quote. */
const URLS = /[\w+.-]+:\/\/\S+/g

/**
 * The same connections, with the cause of each failure in `log`, in the words of the database, of the driver or of the
 * system: clients are told etcd's errors, which have none for it.
 */
export function loggedSql(sql: Sql, log: Log): Sql {
  return aroundSql(sql, async (run) => {
    try {
      return await run()
    } catch (error) {
      if (error instanceof SqlError) logFailure(error, log)
      throw error
    }
  })
}

function logFailure(error: SqlError, log: Log): void {
  const { kind, sqlstate } = error
  const text = QUOTES_DATA.test(sqlstate ?? '') ? 'a data exception' : errorText(error)
  log(isRetriable(error) ? 'warn' : 'error', MEANINGS[kind], {
    error: text.replaceAll(URLS, '(a URL)').slice(0, TEXT_MAX),
    ...(sqlstate && { sqlstate }),
  })
}
