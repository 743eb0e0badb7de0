import { type Client, DatabaseError } from 'pg'
import type { Database } from '../database.ts'
import type { Dialect } from '../store/dialect/dialect.ts'
import { lockMigration } from '../store/migration-lock.ts'
import { quoteIdentifier } from '../store/statement.ts'
import { wasMigrated } from './find.ts'

/** Made by migrating itself, for its notes. */
const NOTES = ['migration', 'function_set']

/** A server that still works on the store holds its tables for as long as a request takes. */
const LOCK_TIMEOUT = '10s'

/** PostgreSQL's code for what can't be dropped because something else needs it. */
const STILL_NEEDED = '2BP01'

/** What came of it: it is gone, somebody else was first, or something needs it, and then it is whole. */
export type Dropped = 'dropped' | 'gone before' | { readonly neededBy: string }

/** What a store consists of: its tables by name, its functions by name and types. */
interface Made {
  readonly tables: readonly string[]
  readonly functions: readonly string[]
}

/**
 * Drops a store: what edgetcd made in the schema, and the schema, and nothing that somebody else made. Where there is such
 * a thing, nothing is dropped, and what it is is told. Under the lock that migrating takes, so that no server makes the
 * store anew meanwhile.
 */
export async function dropStore(database: Database, schema: string): Promise<Dropped> {
  const { dialect } = database
  const made = madeBy(dialect)
  if (!dialect.transactionalDdl)
    return database.session((client) => dropInSteps(client, schema, dialect, made))
  return database.transaction(async (client) => {
    await lockMigration(client, schema)
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`)
    if (!(await wasMigrated(client, schema, dialect))) return 'gone before'
    const [neededBy] = await madeByOthers(client, schema, made)
    if (neededBy !== undefined) return { neededBy }
    await client.query('savepoint whole')
    try {
      await dropOurs(client, schema, made)
      return 'dropped'
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.code !== STILL_NEEDED) throw error
      await client.query('rollback to savepoint whole')
      return { neededBy: error.detail ?? error.message }
    }
  })
}

/**
 * The same where each statement is a transaction of its own: all that could need the store is asked for first. What is left of
 * one that was broken off is still a store, which migrating makes whole and dropping drops.
 */
async function dropInSteps(client: Client, schema: string, dialect: Dialect, made: Made): Promise<Dropped> {
  if (!(await wasMigrated(client, schema, dialect))) return 'gone before'
  const [neededBy] = [
    ...(await madeByOthers(client, schema, made)),
    ...(await neededElsewhere(client, schema, made)),
  ]
  if (neededBy !== undefined) return { neededBy }
  await client.query(`delete from ${quoteIdentifier(schema)}.function_set`)
  await dropOurs(client, schema, made)
  return 'dropped'
}

/** The objects that are edgetcd's, as a table `ours` of their catalogs and ids. Of $1 the schema, $2 the tables, $3 the functions. */
const OURS = `ours (class, id) as (
  select 'pg_class'::regclass, c.oid from pg_class c
  where c.relnamespace = $1::regnamespace and c.relkind = 'r' and c.relname = any($2)
  union all
  select 'pg_proc'::regclass, to_regprocedure($1 || '.' || f)::oid from unnest($3::text[]) f
  where to_regprocedure($1 || '.' || f) is not null
)`

/** What else lies in the schema. */
async function madeByOthers(client: Client, schema: string, { tables, functions }: Made): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `with ${OURS}
     select pg_describe_object(d.classid, d.objid, 0) as name from pg_depend d
     where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1::regnamespace and d.deptype = 'n'
       and not exists (select from ours where ours.class = d.classid and ours.id = d.objid)
     order by name`,
    [quoteIdentifier(schema), tables, functions],
  )
  return rows.map(({ name }) => name)
}

/** What else needs something of the store, wherever it lies. Its own foreign keys don't count. */
async function neededElsewhere(
  client: Client,
  schema: string,
  { tables, functions }: Made,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `with ${OURS}
     select pg_describe_object(d.classid, d.objid, 0) as name
     from pg_depend d join ours on d.refclassid = ours.class and d.refobjid = ours.id
     left join pg_constraint k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid
     where d.deptype = 'n' and not exists (select from ours own where own.class = 'pg_class'::regclass and own.id = k.conrelid)
     order by name`,
    [quoteIdentifier(schema), tables, functions],
  )
  return rows.map(({ name }) => name)
}

/** Without `cascade`: PostgreSQL itself refuses where something elsewhere depends on it. */
async function dropOurs(client: Client, schema: string, { tables, functions }: Made): Promise<void> {
  const name = quoteIdentifier(schema)
  const { rows } = await client.query<{ signature: string }>(
    `with ${OURS} select ours.id::regprocedure::text as signature from ours where ours.class = 'pg_proc'::regclass`,
    [name, tables, functions],
  )
  if (rows.length > 0) await client.query(`drop function ${rows.map((row) => row.signature).join(', ')}`)
  await client.query(`drop table if exists ${tables.map((table) => `${name}.${table}`).join(', ')}`)
  // One that was made for this role by another stays, empty; and a database without a schema public surprises everybody.
  const { rowCount } = await client.query(
    `select from pg_namespace where nspname = $1 and nspname <> 'public' and pg_has_role(nspowner, 'usage')`,
    [schema],
  )
  if (rowCount === 1) await client.query(`drop schema ${name}`)
}

function madeBy({ migrations, functions }: Dialect): Made {
  const tables = migrations.flatMap(({ sql }) => [...sql.matchAll(/^create table :schema\.(\w+)/gm)])
  const headers = functions.flatMap((sql) => [
    ...sql.matchAll(/^create or replace function :schema\.(\w+)\(([^)]*)\)/gm),
  ])
  return {
    tables: [...NOTES, ...tables.map(([, table = '']) => table)],
    functions: headers.map(([, name = '', parameters = '']) => `${name}(${typesOf(parameters)})`),
  }
}

/** Of `a int, b bigint[], out c text` the types that a caller gives. */
function typesOf(parameters: string): string {
  const words = parameters.split(',').map((parameter) => parameter.trim().split(/\s+/))
  return words.flatMap(([name, ...type]) => (name === 'out' || name === '' ? [] : type.join(' '))).join(', ')
}
