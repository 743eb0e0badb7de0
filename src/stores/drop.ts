import { type Client, DatabaseError } from 'pg'
import { FUNCTIONS, MIGRATIONS } from '../store/migrations.ts'
import { quoteIdentifier } from '../store/statement.ts'

/** Made by migrating itself, for its notes. */
const NOTES = ['migration', 'function_set']

/** PostgreSQL's code for what can't be dropped because something else needs it. */
const STILL_NEEDED = '2BP01'

/**
 * Drops a store: what edgetcd made in the schema, and the schema, and nothing that somebody else made. Where there is such
 * a thing, nothing is dropped and the names of those are given. Within a transaction of the caller's, under the lock that migrating takes, so that no server
 * makes the store anew meanwhile.
 */
export async function dropStore(client: Client, schema: string): Promise<string | undefined> {
  await client.query('select pg_advisory_xact_lock(hashtext($1))', [`edgetcd migrate ${schema}`])
  await client.query(`set local lock_timeout = '10s'`)
  await client.query('savepoint whole')
  try {
    await dropOurs(client, schema)
    return undefined
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== STILL_NEEDED) throw error
    await client.query('rollback to savepoint whole')
    return error.detail ?? error.message
  }
}

/** Without `cascade`: PostgreSQL itself refuses where anything else is in the schema or depends on it. */
async function dropOurs(client: Client, schema: string): Promise<void> {
  const name = quoteIdentifier(schema)
  const { rows } = await client.query<{ signature: string }>(
    `select format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as signature
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = $1 and p.proname = any($2)`,
    [schema, namesMade(FUNCTIONS, 'function')],
  )
  if (rows.length > 0) await client.query(`drop routine ${rows.map((row) => row.signature).join(', ')}`)
  const tables = [
    ...NOTES,
    ...namesMade(
      MIGRATIONS.map(({ sql }) => sql),
      'table',
    ),
  ]
  await client.query(`drop table ${tables.map((table) => `${name}.${table}`).join(', ')}`)
  // One that was made for this role by another stays, empty; and what has no schema public surprises everybody.
  const { rowCount } = await client.query(
    `select from pg_namespace where nspname = $1 and nspname <> 'public' and pg_has_role(nspowner, 'usage')`,
    [schema],
  )
  if (rowCount === 1) await client.query(`drop schema ${name}`)
}

function namesMade(texts: readonly string[], kind: 'table' | 'function'): string[] {
  const made = new RegExp(`^create (?:or replace )?${kind} :schema\\.(\\w+)`, 'gm')
  return [...new Set(texts.flatMap((text) => [...text.matchAll(made)].map(([, name = '']) => name)))]
}
