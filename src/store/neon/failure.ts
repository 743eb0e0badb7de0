import { statementFailure } from '../postgres/failure.ts'
import { SqlError } from '../sql.ts'

/** What Neon answers, in the driver's words, when the rows are more than it sends by HTTP. */
const TOO_LARGE = 'Server error (HTTP status 507)'

/**
 * An error of a statement that was sent by HTTP. Only an SQLSTATE tells that the database refused it: an answer without one,
 * or none, says nothing of what happened.
 */
export function httpFailure(error: unknown): SqlError {
  return hasTimedOut(error)
    ? new SqlError('unknown', 'no answer from Neon in time', { cause: error, timedOut: true })
    : statementFailure(error)
}

/** Whether the statement was run but had more rows than Neon sends by HTTP. */
export function isTooLarge(error: SqlError): boolean {
  return error.message.startsWith(TOO_LARGE)
}

/** The driver wraps what `fetch` throws, but not what reading its body does. */
function hasTimedOut(error: unknown): boolean {
  const thrown = (error as { sourceError?: unknown } | null)?.sourceError ?? error
  return (thrown as { name?: unknown } | null)?.name === 'TimeoutError'
}
