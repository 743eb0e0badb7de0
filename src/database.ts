import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ClientConfig } from 'pg'
import type { Config } from './config/config.ts'
import { withLibpqModes, withoutPassword } from './database-url.ts'
import type { Log } from './environment.ts'
import { startEmbedded } from './store/embedded/index.ts'
import { migrate } from './store/migrate.ts'
import { openPostgres } from './store/postgres/index.ts'
import type { Sql } from './store/sql.ts'
import { errorText } from './thrown.ts'

/** The database that a command works on, migrated. */
export interface Database {
  readonly sql: Sql
  /** Where the data is, for people; without secrets. */
  readonly location: string
  /** Resolves, with the reason, when the database can't come back by itself. */
  readonly ended: Promise<Error>
  /** Stops the database, if it is this process's own. After `sql.close()`. */
  close(): Promise<void>
}

/**
 * Opens the configured database: the one of `--database-url`, or else PostgreSQL on the data directory, started for
 * this process. With `mustExist` a store is never made. Fails with an Error fit to be shown.
 */
export async function openDatabase(config: Config, log: Log, mustExist = false): Promise<Database> {
  return config.databaseUrl === undefined
    ? await openEmbedded(config, log, mustExist)
    : await openGiven(config.databaseUrl, config.schema, log, mustExist)
}

async function openGiven(url: string, schema: string, log: Log, mustExist: boolean): Promise<Database> {
  const connection: ClientConfig = { connectionString: withLibpqModes(url) }
  await migrate(connection, schema, log, mustExist).catch((cause: unknown) => {
    throw new Error(`can't use the database at ${withoutPassword(url)}: ${reasonOf(cause)}`, { cause })
  })
  return {
    sql: openPostgres(connection),
    location: `${withoutPassword(url)}, schema ${schema}`,
    ended: new Promise(() => {}),
    close: async () => {},
  }
}

async function openEmbedded({ dataDir, schema }: Config, log: Log, mustExist: boolean): Promise<Database> {
  if (mustExist && !existsSync(dataDir))
    throw new Error(`there is no store in ${resolve(dataDir)}; nothing was done`)
  const embedded = await startEmbedded({ dataDir, log })
  try {
    await migrate(embedded.connection, schema, log, mustExist)
  } catch (error) {
    await embedded.close()
    throw error
  }
  return {
    sql: openPostgres(embedded.connection),
    location: `${resolve(dataDir)} (embedded PostgreSQL)`,
    ended: embedded.ended,
    close: () => embedded.close(),
  }
}

/** What is wrong, and what to do about it where that is known. */
function reasonOf(error: unknown): string {
  const reason = errorText(error)
  // Of the database, not of a schema that is there: then it was the schema that couldn't be made.
  const [, database] = /^permission denied for database (.*)$/.exec(reason) ?? []
  if (database === undefined) return reason
  return `${reason}: the role needs CREATE on it (grant create on database ${database} to …), or a schema of its own`
}
