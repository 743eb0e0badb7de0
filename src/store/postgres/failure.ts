import { errorText } from '../../thrown.ts'
import { SqlError } from '../sql.ts'

/** Sent with FATAL when the server ends a session: whether the statement in flight committed is not known. */
const SESSION_ENDED = new Set(['57P01', '57P02', '57P05', '25P03'])

/**
 * Hyperdrive's own errors that PostgreSQL has no code for, by its documentation. These two come before the statement is
 * sent: https://developers.cloudflare.com/hyperdrive/observability/troubleshooting/
 */
const HYPERDRIVE = '58000'
const NO_CONNECTION = /^(Failed to acquire a connection from the pool|Server connection attempt failed)/

/** Nobody is let in, or there is no such database. Whoever sends statements by way of a pooler learns so from the statement. */
const NOT_LET_IN = /^28|^3D000$/

/** What `pg` says when `query_timeout` is over. */
const QUERY_TIMED_OUT = 'Query read timeout'

function sqlstateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' &&
    /^[0-9A-Z]{5}$/.test(code) &&
    (error as { severity?: unknown }).severity !== undefined
    ? code
    : undefined
}

/** An error while connecting: nothing was sent, so nothing happened. */
export function connectFailure(error: unknown): SqlError {
  const sqlstate = sqlstateOf(error)
  return new SqlError('unreachable', errorText(error), { cause: error, ...(sqlstate && { sqlstate }) })
}

/** An error of a statement that was sent: the database's own answer, or a connection lost under it. */
export function statementFailure(error: unknown): SqlError {
  if (error instanceof SqlError) return error
  const sqlstate = sqlstateOf(error)
  if (sqlstate === HYPERDRIVE && NO_CONNECTION.test(errorText(error))) return connectFailure(error)
  if (sqlstate !== undefined && NOT_LET_IN.test(sqlstate)) return connectFailure(error)
  if (sqlstate === undefined || isLoss(sqlstate)) {
    const timedOut = errorText(error) === QUERY_TIMED_OUT
    return new SqlError('unknown', errorText(error), {
      cause: error,
      timedOut,
      ...(sqlstate && { sqlstate }),
    })
  }
  return new SqlError('failed', errorText(error), { cause: error, sqlstate })
}

/** Whether an error with this code may have ended the connection, so that the statement's outcome isn't known. */
function isLoss(sqlstate: string): boolean {
  return SESSION_ENDED.has(sqlstate) || sqlstate === HYPERDRIVE || sqlstate.startsWith('08')
}
