import { type Client, DatabaseError } from 'pg'
import type { Dialect } from '../store/dialect/dialect.ts'
import { lockMigration } from '../store/migration-lock.ts'
import { quoteIdentifier } from '../store/statement.ts'

/** Made by migrating itself, for its notes. */
const NOTES = ['migration', 'function_set']

/** A server that still works on the store holds its tables for as long as a request takes. */
const LOCK_TIMEOUT = '10s'

/** PostgreSQL's code for what can't be dropped because something else needs it. */
const STILL_NEEDED = '2BP01'

/** What a store consists of, by name. */
interface Made {
  readonly tables: readonly string[]
  readonly functions: readonly string[]
}

/**
 * Drops a store: what edgetcd made in the schema, and the schema, and nothing that somebody else made. Where there is such
 * a thing, nothing is dropped, and what it is is told. To be called in a transaction; under the lock that migrating takes,
 * so that no server makes the store anew meanwhile.
 */
export async function dropStore(
  client: Client,
  schema: string,
  dialect: Dialect,
): Promise<string | undefined> {
  const made = {
    tables: [
      ...NOTES,
      ...namesMade(
        dialect.migrations.map(({ sql }) => sql),
        'table',
      ),
    ],
    functions: namesMade(dialect.functions, 'function'),
  }
  // Where migrating takes no lock, neither does this.
  if (dialect.transactionalDdl) await lockMigration(client, schema)
  await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`)
  const others = await madeByOthers(client, schema, made)
  if (others.length > 0) return others.join(', ')
  await client.query('savepoint whole')
  try {
    await dropOurs(client, schema, made)
    return undefined
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== STILL_NEEDED) throw error
    await client.query('rollback to savepoint whole')
    return error.detail ?? error.message
  }
}

/** Asked first, since an engine without transactions for this would have dropped the rest before it refuses. */
async function madeByOthers(client: Client, schema: string, made: Made): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relname <> all($2)
     union all
     select p.proname || '()' from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = $1 and p.proname <> all($3)`,
    [schema, made.tables, made.functions],
  )
  return rows.map(({ name }) => `${schema}.${name}`)
}

/** Without `cascade`: PostgreSQL itself refuses where something elsewhere depends on it. */
async function dropOurs(client: Client, schema: string, made: Made): Promise<void> {
  const name = quoteIdentifier(schema)
  const { rows } = await client.query<{ signature: string }>(
    `select format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as signature
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = $1`,
    [schema],
  )
  if (rows.length > 0) await client.query(`drop routine ${rows.map((row) => row.signature).join(', ')}`)
  await client.query(`drop table ${made.tables.map((table) => `${name}.${table}`).join(', ')}`)
  // One that was made for this role by another stays, empty; and a database without a schema public surprises everybody.
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
