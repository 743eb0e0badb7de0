import { createHash } from 'node:crypto'
import type { Client, ClientConfig } from 'pg'
import type { Log } from '../environment.ts'
import { FUNCTIONS, MIGRATIONS } from './migrations.ts'
import { quoteIdentifier, writeSchema } from './statement.ts'
import { inTransaction } from './transaction.ts'

/** The oldest PostgreSQL that the engine's SQL runs on, as server_version_num. */
const SERVER_VERSION_MIN = 140_000

/** By which a store knows whose functions it has. */
export const FUNCTIONS_CHECKSUM = createHash('sha256').update(FUNCTIONS.join('\n')).digest('hex')

/**
 * Brings a database to this edgetcd's schema: the missing migrations, then the engine's functions when they differ.
 *
 * All in one transaction under a lock, so that several servers may start at once, and one that is killed leaves
 * nothing half done. A database that a newer edgetcd has migrated is refused and left as it is; with `mustExist`, so is
 * one that holds no store of this name.
 */
export async function migrate(
  config: ClientConfig,
  schema: string,
  log: Log,
  mustExist = false,
): Promise<void> {
  await inTransaction(config, async (client) => {
    // Held to the end of the transaction. Only migrating and dropping use it; nothing that serves requests does.
    await client.query('select pg_advisory_xact_lock(hashtext($1))', [`edgetcd migrate ${schema}`])
    await checkServer(client)
    if (mustExist) await checkExists(client, schema)
    await migrateLocked(client, schema, log)
  })
}

async function checkServer(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: number; name: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as name`,
  )
  const server = rows[0]
  if (server !== undefined && server.number < SERVER_VERSION_MIN) {
    throw new Error(`PostgreSQL ${server.name} is too old: edgetcd needs PostgreSQL 14 or later`)
  }
}

async function checkExists(client: Client, schema: string): Promise<void> {
  const { rows } = await client.query('select to_regclass($1) as head', [`${quoteIdentifier(schema)}.head`])
  if (rows[0]?.head === null) throw new Error(`it holds no store in schema ${schema}; nothing was done`)
}

async function migrateLocked(client: Client, schema: string, log: Log): Promise<void> {
  const name = quoteIdentifier(schema)
  const { rowCount } = await client.query('select from pg_namespace where nspname = $1', [schema])
  // Not `create schema if not exists`: a role that may not create schemas can use one that was made for it.
  if (rowCount === 0) await client.query(`create schema ${name}`)
  // Asked first, since `if not exists` wants the right to create even where there is nothing to create.
  const { rows: found } = await client.query(`select to_regclass($1) as migration`, [`${name}.migration`])
  if (found[0]?.migration === null) {
    await client.query(
      `create table ${name}.migration (number int primary key, name text not null, migrated_at timestamptz not null default now())`,
    )
    await client.query(`create table ${name}.function_set (checksum text primary key)`)
  }

  const { rows } = await client.query<{ number: number }>(
    `select number from ${name}.migration order by number`,
  )
  const newest = rows.at(-1)?.number ?? 0
  if (newest > MIGRATIONS.length) {
    throw new Error(
      `schema ${schema} was migrated by a newer edgetcd (migration ${newest}, this one knows ${MIGRATIONS.length}): run that version`,
    )
  }
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < newest) continue
    log('info', 'migrating', { schema, migration: migration.name })
    await client.query(writeSchema(migration.sql, schema))
    await client.query(`insert into ${name}.migration (number, name) values ($1, $2)`, [
      index + 1,
      migration.name,
    ])
  }

  const current = await client.query<{ checksum: string }>(`select checksum from ${name}.function_set`)
  if (current.rows[0]?.checksum === FUNCTIONS_CHECKSUM) return
  for (const sql of FUNCTIONS) await client.query(writeSchema(sql, schema))
  await client.query(`delete from ${name}.function_set`)
  await client.query(`insert into ${name}.function_set values ($1)`, [FUNCTIONS_CHECKSUM])
}
