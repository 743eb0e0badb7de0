import { DatabaseError } from 'pg'
import { aroundSql } from '../around-sql.ts'
import { type Sql, SqlError } from '../sql.ts'

/** Errors of the server's inside, whatever they say: nobody knows how far the statement was. */
const INTERNAL = /^(XX|58)/

/**
 * What is told when a commit had no answer between two servers: in Jepsen's runs such a transaction had been committed
 * (https://github.com/yugabyte/yugabyte-db/issues/29573). A commit that is asked for again, because the first answer was
 * lost, is even told the code and the words of a conflict, since by then nobody remembers the transaction; YugabyteDB's own
 * tests take that for unknown, too (https://github.com/yugabyte/jepsen/pull/52). Newer versions have those words in
 * the detail (https://github.com/yugabyte/yugabyte-db/issues/28157).
 */
const UNANSWERED =
  /\bRPC\b.*\btimed out\b|^Timed out|Operation expired|expired or aborted|expired transaction/ims

/** Where the error comes from, when that is before the commit: then nothing was committed, whatever the words. */
const WITHIN_A_FUNCTION = /\bfunction .* (line|statement) \d/i

/**
 * The same connections, but what ended with an error of YugabyteDB's inside counts as if the connection had been lost: a
 * write has an unknown outcome (invariant 10), where on PostgreSQL an error always means that nothing was done; and a read
 * found nobody to answer it, as while the leader of a tablet changes. So does a write whose commit had no answer.
 */
export function uncertainSql(sql: Sql): Sql {
  const reading = aroundSql(sql, (run) => telling(run, isInternal))
  const writing = aroundSql(sql, (run) => telling(run, (error) => isInternal(error) || isUnanswered(error)))
  return { ...reading, write: writing.write }
}

async function telling<T>(run: () => Promise<T>, isUncertain: (error: SqlError) => boolean): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw error instanceof SqlError && error.kind === 'failed' && isUncertain(error)
      ? uncertain(error)
      : error
  }
}

function isInternal({ sqlstate = '' }: SqlError): boolean {
  return INTERNAL.test(sqlstate)
}

function isUnanswered({ message, cause }: SqlError): boolean {
  const { detail = '', where = '' } = cause instanceof DatabaseError ? cause : {}
  return UNANSWERED.test(`${message}\n${detail}`) && !WITHIN_A_FUNCTION.test(where)
}

function uncertain(error: SqlError): SqlError {
  const { sqlstate } = error
  return new SqlError('unknown', error.message, { cause: error, ...(sqlstate && { sqlstate }) })
}
