import { aroundSql } from '../around-sql.ts'
import { type Sql, SqlError } from '../sql.ts'

/** Errors of the server's inside, whatever they say: nobody knows how far the statement was. */
const INTERNAL = /^(XX|58)/

/**
 * What is told when the answer to a commit was lost between two servers: in Jepsen's runs such a transaction had been
 * committed (https://github.com/yugabyte/yugabyte-db/issues/29573), and it may come with the code of a conflict.
 */
const UNANSWERED = /\bRPC\b.*\btimed out\b|^Timed out|Commit of expired transaction/is

/**
 * The same connections, but what ended with an error of YugabyteDB's inside counts as if the connection had been lost: a
 * write has an unknown outcome (invariant 10), where on PostgreSQL an error always means that nothing was done; and a read
 * found nobody to answer it, as while the leader of a tablet changes.
 */
export function uncertainSql(sql: Sql): Sql {
  return aroundSql(sql, async (run) => {
    try {
      return await run()
    } catch (error) {
      throw error instanceof SqlError && isUncertain(error) ? uncertain(error) : error
    }
  })
}

function isUncertain({ kind, sqlstate = '', message }: SqlError): boolean {
  return kind === 'failed' && (INTERNAL.test(sqlstate) || UNANSWERED.test(message))
}

function uncertain(error: SqlError): SqlError {
  const { sqlstate } = error
  return new SqlError('unknown', error.message, { cause: error, ...(sqlstate && { sqlstate }) })
}
