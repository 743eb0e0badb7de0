import type { ClientBase } from 'pg'

/**
 * Holds the lock under which a store is migrated or dropped, to the end of the transaction. Nothing that serves requests
 * takes it.
 */
export async function lockMigration(client: ClientBase, schema: string): Promise<void> {
  await client.query('select pg_advisory_xact_lock(hashtext($1))', [`edgetcd migrate ${schema}`])
}
