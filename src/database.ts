import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Client, ClientConfig } from 'pg'
import type { Config } from './config/config.ts'
import { withLibpqModes, withoutPassword, withPostgresScheme } from './database-url.ts'
import type { Log } from './environment.ts'
import { dialectOf } from './store/dialect/choose.ts'
import type { Dialect } from './store/dialect/dialect.ts'
import { POSTGRES } from './store/dialect/postgres.ts'
import { POSTGRES_NAME } from './store/embedded/data-directory.ts'
import { startEmbedded } from './store/embedded/index.ts'
import { migrate } from './store/migrate.ts'
import { openPostgres } from './store/postgres/index.ts'
import type { Sql } from './store/sql.ts'
import { inTransaction, onConnection } from './store/transaction.ts'
import { errorText } from './thrown.ts'

/** The database that a command works on. */
export interface Database {
  readonly sql: Sql
  readonly dialect: Dialect
  /** Where the data is, for people; without secrets. */
  readonly location: string
  /** Resolves, with the reason, when the database can't come back by itself. */
  readonly ended: Promise<Error>
  /** Brings the store in a schema to this version; with `mustExist` it is never made. Fails with an Error fit to be shown. */
  migrate(schema: string, mustExist?: boolean): Promise<void>
  /** Does what isn't asked while requests are served, on a connection of its own. Fails with an Error fit to be shown. */
  session<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** The same, all of it or nothing. */
  transaction<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Stops the database, if it is this process's own. After `sql.close()`. */
  close(): Promise<void>
}

/** Which stores a command works on, and whether they have to be there. */
export interface OpenOptions {
  /** The schemas to migrate first: the configured one, if nothing is said. */
  readonly schemas?: readonly string[]
  /** A store is never made, nor a data directory. */
  readonly mustExist?: boolean
}

/**
 * Opens the configured database: the one of `--database-url`, or else PostgreSQL on the data directory, started for
 * this process. Fails with an Error fit to be shown.
 */
export async function openDatabase(
  config: Config,
  log: Log,
  { schemas = [config.schema], mustExist = false }: OpenOptions = {},
): Promise<Database> {
  const database =
    config.databaseUrl === undefined
      ? await openEmbedded(config.dataDir, schemas.length, log, mustExist)
      : openGiven(config.databaseUrl, schemas, log)
  try {
    for (const schema of schemas) await database.migrate(schema, mustExist)
    return database
  } catch (error) {
    await database.sql.close()
    await database.close()
    throw error
  }
}

function openGiven(url: string, schemas: readonly string[], log: Log): Database {
  const dialect = dialectOf(url)
  const connection: ClientConfig = { connectionString: withLibpqModes(withPostgresScheme(url)) }
  const names = schemas.length === 0 ? '' : `, schema ${schemas.join(', ')}`
  const explained = explainAt(`at ${withoutPassword(url)}`)
  const onEngine =
    <T>(work: (client: Client) => Promise<T>) =>
    async (client: Client) => {
      await dialect.checkEngine(client)
      return await work(client)
    }
  return {
    sql: dialect.adapt(openPostgres(connection, schemas.length)),
    dialect,
    location: `${withoutPassword(url)}${names}`,
    ended: new Promise(() => {}),
    migrate: (schema, mustExist) => migrate(connection, schema, log, mustExist, dialect).catch(explained),
    session: (work) => onConnection(connection, onEngine(work)).catch(explained),
    transaction: (work) => inTransaction(connection, onEngine(work)).catch(explained),
    close: async () => {},
  }
}

async function openEmbedded(
  dataDir: string,
  stores: number,
  log: Log,
  mustExist: boolean,
): Promise<Database> {
  if (mustExist && !existsSync(join(dataDir, POSTGRES_NAME))) {
    throw new Error(
      `there is no store in ${resolve(dataDir)}: say where one is, with --data-dir or --database-url; nothing was done`,
    )
  }
  const explained = explainAt(`in ${resolve(dataDir)}`)
  const embedded = await startEmbedded({ dataDir, log })
  return {
    sql: openPostgres(embedded.connection, stores),
    dialect: POSTGRES,
    location: `${resolve(dataDir)} (embedded PostgreSQL)`,
    ended: embedded.ended,
    migrate: (schema, mustExist) => migrate(embedded.connection, schema, log, mustExist).catch(explained),
    session: (work) => onConnection(embedded.connection, work).catch(explained),
    transaction: (work) => inTransaction(embedded.connection, work).catch(explained),
    close: () => embedded.close(),
  }
}

/** Gives a failure the words that it is shown with. */
function explainAt(place: string): (cause: unknown) => never {
  return (cause) => {
    throw new Error(`can't use the database ${place}: ${reasonOf(cause)}`, { cause })
  }
}

/** What to do about what PostgreSQL and the system say. */
const ADVICE: readonly (readonly [said: RegExp, advice: string])[] = [
  // Of the database, not of a schema that is there: then it was the schema that couldn't be made.
  [
    /^permission denied for database (.*)$/,
    'the role needs CREATE on it (grant create on database $1 to …), or a schema of its own',
  ],
  [/ECONNREFUSED/, 'no database listens there; start it, or mend host and port in the URL'],
  [/ENOTFOUND|EAI_AGAIN/, 'no host of that name was found; mend it in the URL'],
  [/^timeout expired$/, 'nothing answers there; mend host and port in the URL, or let this machine through'],
  [/^database ".*" does not exist$/, 'make it (create database …), or name another in the URL'],
  [/not support SSL/, 'switch SSL on there, or leave sslmode out of the URL'],
]

/** What is wrong, and what to do about it where that is known. */
function reasonOf(error: unknown): string {
  const reason = errorText(error)
  for (const [said, advice] of ADVICE) {
    const found = said.exec(reason)
    if (found !== null) return `${reason}: ${advice.replace('$1', () => found[1] ?? '')}`
  }
  return reason
}
