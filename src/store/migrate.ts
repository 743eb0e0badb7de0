import { createHash } from 'node:crypto'
import type { Client, ClientConfig } from 'pg'
import type { Log } from '../environment.ts'
import { executor } from './dialect/ddl.ts'
import { type Dialect, writeAsc } from './dialect/dialect.ts'
import { POSTGRES } from './dialect/postgres.ts'
import { inSteps } from './dialect/steps.ts'
import { lockMigration } from './migration-lock.ts'
import { quoteIdentifier, writeSchema } from './statement.ts'
import { inTransaction } from './transaction.ts'

/** By which a store knows whose functions it has. */
export const checksumOf = ({ functions }: Dialect): string =>
  createHash('sha256').update(functions.join('\n')).digest('hex')

/**
 * Brings a database to this edgetcd's schema: the missing migrations, then the engine's functions when they differ.
 *
 * All in one transaction under a lock, so that several servers may start at once, and one that is killed leaves
 * nothing half done; where an engine has no such transactions, each does all of it in steps that may be done again. A
 * database that a newer edgetcd has migrated is refused and left as it is; with `mustExist`, so is one that holds no store
 * of this name.
 */
export async function migrate(
  config: ClientConfig,
  schema: string,
  log: Log,
  mustExist = false,
  dialect: Dialect = POSTGRES,
): Promise<void> {
  const bring = async (client: Client): Promise<void> => {
    if (mustExist) await checkExists(client, schema)
    await migrateStore(client, schema, log, dialect)
  }
  if (!dialect.transactionalDdl) {
    return inSteps(config, async (client) => {
      await dialect.checkServer(client, log)
      await bring(client)
    })
  }
  await inTransaction(config, async (client) => {
    await dialect.checkServer(client, log)
    await lockMigration(client, schema)
    await bring(client)
  })
}

async function checkExists(client: Client, schema: string): Promise<void> {
  const { rows } = await client.query('select to_regclass($1) as head', [`${quoteIdentifier(schema)}.head`])
  if (rows[0]?.head === null) {
    throw new Error(
      `it holds no store in schema ${schema}, and nothing was done; edgetcd stores list tells which it holds`,
    )
  }
}

async function migrateStore(client: Client, schema: string, log: Log, dialect: Dialect): Promise<void> {
  const name = quoteIdentifier(schema)
  const execute = executor(client, dialect)
  const { rowCount } = await client.query('select from pg_namespace where nspname = $1', [schema])
  // Not `create schema if not exists`: a role that may not create schemas can use one that was made for it.
  if (rowCount === 0) await client.query(`create schema ${name}`)
  // Asked first, since `if not exists` wants the right to create even where there is nothing to create.
  const { rows: found } = await client.query(`select to_regclass($1) as migration`, [`${name}.migration`])
  if (found[0]?.migration === null) {
    await execute(`create table ${name}.function_set (checksum text primary key)`)
    await execute(
      `create table ${name}.migration (number int primary key, name text not null, migrated_at timestamptz not null default now())`,
    )
  }

  const { rows } = await client.query<{ number: number }>(
    `select number from ${name}.migration order by number`,
  )
  const newest = rows.at(-1)?.number ?? 0
  const { migrations } = dialect
  if (newest > migrations.length) {
    throw new Error(
      `schema ${schema} was migrated by a newer edgetcd (migration ${newest}, this one knows ${migrations.length}): run that version`,
    )
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < newest) continue
    log('info', 'migrating', { schema, migration: migration.name })
    await execute(writeSchema(writeAsc(migration.sql, dialect), schema))
    await client.query(`insert into ${name}.migration (number, name) values ($1, $2)`, [
      index + 1,
      migration.name,
    ])
  }

  const checksum = checksumOf(dialect)
  const current = await client.query<{ checksum: string }>(`select checksum from ${name}.function_set`)
  if (current.rows[0]?.checksum === checksum) return
  for (const sql of dialect.functions) await execute(writeSchema(sql, schema))
  await client.query(`delete from ${name}.function_set`)
  await client.query(`insert into ${name}.function_set values ($1)`, [checksum])
}
