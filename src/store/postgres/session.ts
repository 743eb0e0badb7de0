import type { ClientBase, QueryConfig } from 'pg'
import { UNCACHEABLE } from '../statement.ts'

/**
 * Sent once on a connection that lives long, against what a role or a database may have as its defaults. A write needs to
 * see what committed while it waited for the lock; bytes must come in the form that is read; and every statement here is
 * short, while PostgreSQL compiles a short one for half a second where its estimate of a large log is off.
 */
const SESSION = `select set_config('default_transaction_isolation', 'read committed', false),
  set_config('bytea_output', 'hex', false), set_config('jit', 'off', false) ${UNCACHEABLE}`

/**
 * Lets a backend notice while it waits for a lock that its client has gone. Apart, for not every platform has it.
 */
const NOTICE_LOST_CLIENTS = `set client_connection_check_interval = '10s' ${UNCACHEABLE}`

/**
 * Prepares a pipelined session, ahead of its first statement. A server that doesn't answer is noticed by its own time-out,
 * which ends the connection; any other failure shows in the statements that follow, if it matters. With `lockTimeoutMs` its
 * statements wait no longer than that for a table that somebody has to himself.
 */
export function beginSession(client: ClientBase, timeoutMs: number, lockTimeoutMs?: number): void {
  const texts = [SESSION, NOTICE_LOST_CLIENTS]
  if (lockTimeoutMs !== undefined) texts.push(`set lock_timeout = ${lockTimeoutMs} ${UNCACHEABLE}`)
  for (const text of texts) {
    client.query({ text, query_timeout: timeoutMs } as QueryConfig).catch(() => {})
  }
}
