import type { ClientBase } from 'pg'
import { UNCACHEABLE } from '../statement.ts'

/**
 * Sent once on a connection that lives long. Every statement here is short, and PostgreSQL compiles a short one for half a
 * second where its estimate of a large log is off.
 */
const SESSION = `set jit = off ${UNCACHEABLE}`

/** Prepares a session, ahead of its first statement. Fails as a statement does. */
export async function beginSession(client: ClientBase): Promise<void> {
  await client.query(SESSION)
}
