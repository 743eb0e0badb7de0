/** What the command line does to stores: to the configured one, to several, or to all that a database holds. */
import type { Client } from 'pg'
import { compose } from '../compose.ts'
import { type Config, ConfigError } from '../config/config.ts'
import type { CommandLine } from '../config/flags.ts'
import { type Database, openDatabase } from '../database.ts'
import type { Environment } from '../environment.ts'
import { NEVER } from '../never.ts'
import { createInstruments } from '../observe/instruments.ts'
import type { Say } from '../server/say-ready.ts'
import { shareOf } from '../server/shared-sql.ts'
import { compactOnce } from '../service/compactor/index.ts'
import { Slots } from '../slots.ts'
import type { Dialect } from '../store/dialect/dialect.ts'
import type { Store } from '../store/store.ts'
import { errorText } from '../thrown.ts'
import { dropStore } from './drop.ts'
import { findStores, readFacts, type StoreFacts } from './find.ts'

/** What every command works with. */
export interface Command {
  readonly line: CommandLine
  readonly config: Config
  readonly environment: Environment
  readonly say: Say
}

/** `edgetcd migrate`: makes a store that is named and isn't there. */
export async function migrateStores(command: Command): Promise<void> {
  const { line, say } = command
  await eachStore(command, async ({ database, schema, which, place }) => {
    await database.migrate(schema, line.schemas === 'all')
    say(`migrated: ${which}`, { event: 'migrated', schema, data: place })
  })
}

/** `edgetcd compact`: one run of what a server's timer does. */
export async function compactStores(command: Command): Promise<void> {
  const { config, environment, say } = command
  await eachStore(command, async ({ database, schema, which, place, at }) => {
    await database.migrate(schema, true)
    const run = (store: Store) => compactOnce(store, config.retention, environment, NEVER)
    const { compactedTo, batches } = await onStore(command, database, { schema, at }, run)
    const revision = compactedTo === undefined ? null : String(compactedTo)
    const text = revision === null ? whyNothing(config) : `compacted to revision ${revision}`
    say(`${text}: ${which}`, { event: 'compacted', schema, revision, batches, data: place })
  })
}

function whyNothing({ retention }: Config): string {
  return retention === undefined
    ? 'nothing compacted: no --auto-compaction-retention is set'
    : 'nothing to compact yet'
}

/** `edgetcd recover`: moves the revision of the one store that is meant. */
export async function recoverStore(command: Command, bump: bigint): Promise<void> {
  const { config, environment, say } = command
  const [schema, ...others] = configured(command)
  if (schema === undefined || others.length > 0) {
    throw new ConfigError('recover works on one store: say which, with --schema NAME')
  }
  const database = await openDatabase(config, environment.log, { schemas: [schema], mustExist: true })
  await closing(database, async () => {
    const revision = String(
      await onStore(command, database, { schema, at: 0 }, (store) => store.recover(bump)),
    )
    say(
      `the store goes on at revision ${revision}; all before is compacted. Restart the servers that run on it`,
      { event: 'recovered', schema, revision },
    )
  })
}

/** A store that is there and can't be read, or not now. */
interface UnreadStore {
  readonly schema: string
  readonly problem: string
}

/** For a store that somebody else is dropping. */
const DONT_WAIT = `set lock_timeout = '1s'`

/** `edgetcd stores list`. */
export async function listStores({ config, environment, say }: Command): Promise<void> {
  const database = await openDatabase(config, environment.log, { schemas: [], mustExist: true })
  const { dialect } = database
  await closing(database, async () => {
    const stores = await database.session(async (client) => {
      await client.query(DONT_WAIT)
      const listed: (StoreFacts | UnreadStore)[] = []
      for (const schema of await findStores(client, dialect)) listed.push(await look(client, schema, dialect))
      return listed
    })
    say(listText(stores, database.location), {
      event: 'stores',
      stores: stores.map(factsOf),
      data: database.location,
    })
  })
}

const megabytes = (bytes: bigint): string => `${(Number(bytes) / 1_000_000).toFixed(1)} MB`

function listText(stores: readonly (StoreFacts | UnreadStore)[], location: string): string {
  if (stores.length === 0) return `no stores: ${location}`
  const rows = stores.map((store) =>
    'problem' in store ? [store.schema, '-', '-', '-', store.problem] : cellsOf(store),
  )
  const table = [['SCHEMA', 'REVISION', 'KEYS', 'SIZE', 'MIGRATED TO'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cellsOf({ schema, revision, keys, size, migration, version }: StoreFacts): string[] {
  const migrated = version === 'current' ? migration : `${migration} (${version}: ${WHAT_TO_DO[version]})`
  return [schema, String(revision), String(keys), megabytes(size), migrated]
}

const WHAT_TO_DO = { older: 'run edgetcd migrate', newer: 'by a newer edgetcd' } as const

/** `edgetcd stores drop NAME --yes NAME`. */
export async function dropNamed({ line, config, environment, say }: Command): Promise<void> {
  const { schema = '', yes } = line.dropped ?? {}
  const database = await openDatabase(config, environment.log, { schemas: [], mustExist: true })
  const { dialect } = database
  await closing(database, async () => {
    const { stores, store } = await database.session(async (client) => {
      await client.query(DONT_WAIT)
      const stores = await findStores(client, dialect)
      const store = stores.includes(schema) ? await look(client, schema, dialect) : undefined
      return { stores, store }
    })
    if (store === undefined) throw new ConfigError(notThere(schema, stores, database.location))
    if (yes !== schema) throw new ConfigError(unconfirmed(store, yes))
    const dropped = await dropStore(database, schema)
    if (dropped === 'gone before') throw new ConfigError(`somebody else has dropped store ${schema} just now`)
    if (dropped !== 'dropped') throw new ConfigError(notAlone(schema, dropped.neededBy))
    say(`dropped: ${described(store)}`, { event: 'dropped', ...factsOf(store), data: database.location })
  })
}

/** What there is to tell of a store. One that is broken is told of, and dropped, like any other. */
function look(client: Client, schema: string, dialect: Dialect): Promise<StoreFacts | UnreadStore> {
  return readFacts(client, schema, dialect).catch((error: unknown) => ({ schema, problem: errorText(error) }))
}

/** The same for programs, with numbers as etcd's gateway writes them. */
function factsOf(store: StoreFacts | UnreadStore) {
  if ('problem' in store) return store
  const { revision, keys, size } = store
  return { ...store, revision: String(revision), keys: String(keys), size: String(size) }
}

function described(store: StoreFacts | UnreadStore): string {
  if ('problem' in store) return `store ${store.schema}, which can't be read: ${store.problem}`
  const { schema, revision, keys, size } = store
  return `store ${schema}, which was at revision ${revision} with ${keys} keys in ${megabytes(size)}`
}

function notThere(schema: string, stores: readonly string[], location: string): string {
  const there = stores.length === 0 ? 'it holds none' : `it holds ${stores.join(', ')}`
  return `${location} holds no store in schema ${schema}, and nothing was dropped; ${there}`
}

function unconfirmed(store: StoreFacts | UnreadStore, yes: string | undefined): string {
  const said = yes === undefined ? '' : `--yes is ${yes}. `
  return `${said}This would drop ${described(store)}. Stop its servers, then run it again with --yes ${store.schema}`
}

function notAlone(schema: string, needed: string): string {
  return `nothing was dropped: something that isn't edgetcd's lies in schema ${schema} or needs it. Move or drop that first: ${needed}`
}

interface OneOfSeveral {
  readonly database: Database
  readonly schema: string
  /** Its place among them, from 0. */
  readonly at: number
  /** Where it is, and how that is said where it is one of several. */
  readonly place: string
  readonly which: string
}

/** Compacting waits more than it works; migrating takes a connection for each. */
const STORES_AT_ONCE = 8

/** Works on each store that is meant, a few at a time. One that fails doesn't keep the others from their turn; its failure is told at the end. */
async function eachStore(command: Command, work: (store: OneOfSeveral) => Promise<void>): Promise<void> {
  const { line, config, environment, say } = command
  const all = line.schemas === 'all'
  const named = configured(command)
  const alone = named.length === 1 && !all
  const database = await openDatabase(config, environment.log, {
    schemas: [],
    // Only migrating makes a store, and what it lies in.
    mustExist: all || line.command !== 'migrate',
  })
  await closing(database, async () => {
    const schemas = all ? await database.session((client) => findStores(client, database.dialect)) : named
    if (schemas.length === 0)
      say(`no stores: ${database.location}`, { event: 'no stores', data: database.location })
    const failures: string[] = []
    const turns = new Slots(STORES_AT_ONCE)
    const workOn = async (schema: string, at: number) => {
      const place = placeOf(database, schema)
      const which = alone ? place : `${schema} (${at + 1} of ${schemas.length})`
      await work({ database, schema, at, place, which }).catch((error: unknown) => {
        if (alone) throw error
        failures.push(`${schema}: ${errorText(error)}`)
      })
    }
    await Promise.all(schemas.map((schema, at) => turns.run(undefined, () => workOn(schema, at))))
    if (failures.length === 0) return
    throw new Error(
      `${failures.length} of ${schemas.length} stores failed, the others are done\n${failures.join('\n')}`,
    )
  })
}

function placeOf({ location }: Database, schema: string): string {
  return location.includes('://') ? `${location}, schema ${schema}` : location
}

/** The schemas that the command line and the configuration name. */
function configured({ line, config }: Command): readonly string[] {
  if (line.schemas !== undefined && line.schemas !== 'all') return line.schemas
  // What was said to this command goes before what is said to servers.
  if (line.flags.schema !== undefined || config.stores.length === 0) return [config.schema]
  return config.stores.map(({ schema }) => schema)
}

/** Does the work on a store, on the database's own connections. */
async function onStore<T>(
  { config, environment }: Command,
  { sql }: Database,
  { schema, at }: Pick<OneOfSeveral, 'schema' | 'at'>,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const application = compose({
    sql: shareOf(sql, at),
    config: { ...config, schema },
    environment,
    instruments: createInstruments(),
    resident: false,
  })
  try {
    return await work(application.store)
  } finally {
    await application.close()
  }
}

/** Leaves nothing open, whatever comes of the work. */
async function closing(database: Database, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } finally {
    await database.sql.close()
    await database.close()
  }
}
