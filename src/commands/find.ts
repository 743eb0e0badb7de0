import { type Client, DatabaseError } from 'pg'
import type { Dialect } from '../store/dialect/dialect.ts'
import { checksumOf } from '../store/migrate.ts'
import { quoteIdentifier } from '../store/statement.ts'

/** What is told of a store without asking a server. */
export interface StoreFacts {
  readonly schema: string
  readonly revision: bigint
  readonly keys: bigint
  /** What its tables and indexes take on disk, in bytes. */
  readonly size: bigint
  /** The newest migration that it has had. */
  readonly migration: string
  /** Whose version it is of: this one's, or an edgetcd's before or after it. */
  readonly version: 'current' | 'older' | 'newer'
}

/** Columns that no schema has but a store's, unless somebody imitates one. */
const MARKS = [
  'migration.number',
  'migration.name',
  'function_set.checksum',
  'head.compact_revision',
  'cluster.cluster_id',
]

/** No such schema or table: it was dropped a moment ago. */
const GONE = new Set(['3F000', '42P01'])
/** Not to be had within `lock_timeout`. */
const LOCKED = '55P03'

/** The schemas of a database that hold a store whose tables this role may read, by name. Not to be called in a transaction. */
export async function findStores(client: Client, dialect: Dialect): Promise<string[]> {
  const { rows } = await client.query<{ schema: string }>(
    `select n.nspname as schema
       from pg_namespace n join pg_class c on c.relnamespace = n.oid join pg_attribute a on a.attrelid = c.oid
      where c.relkind = 'r' and c.relname || '.' || a.attname = any($1) and not a.attisdropped
        and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
      group by n.nspname having count(*) = cardinality($1)
      order by n.nspname collate "C"`,
    [MARKS],
  )
  const stores: string[] = []
  for (const { schema } of rows) {
    // One that somebody has locked is there.
    const isStore = await wasMigrated(client, schema, dialect).catch((error: unknown) => {
      if (error instanceof DatabaseError && error.code === LOCKED) return true
      throw error
    })
    if (isStore) stores.push(schema)
  }
  return stores
}

/** The first migration is what makes a schema a store. */
export async function wasMigrated(client: Client, schema: string, { migrations }: Dialect): Promise<boolean> {
  try {
    const { rowCount } = await client.query(
      `select from ${quoteIdentifier(schema)}.migration where number = 1 and name = $1`,
      [migrations[0]?.name],
    )
    return rowCount === 1
  } catch (error) {
    if (error instanceof DatabaseError && GONE.has(error.code ?? '')) return false
    throw error
  }
}

interface FactsRow {
  readonly revision: string
  readonly keys: string
  readonly size: string
  readonly number: number
  readonly migration: string
  /** None where migrating was broken off. */
  readonly checksum: string | null
}

/**
 * Reads what there is to tell of a store, of tables alone: an older one may lack the function that this version would ask.
 * Counting its keys walks an index: half a second for some millions.
 */
export async function readFacts(client: Client, schema: string, dialect: Dialect): Promise<StoreFacts> {
  const name = quoteIdentifier(schema)
  const { rows } = await client.query<FactsRow>(
    `select h.revision, (select count(*) from ${name}.kv) as keys, m.number, m.name as migration,
            (select max(checksum) from ${name}.function_set) as checksum,
            (select sum(pg_total_relation_size(c.oid)) from pg_class c
              where c.relkind = 'r' and c.relnamespace = $1::regnamespace) as size
       from ${name}.head h,
            (select number, name from ${name}.migration order by number desc limit 1) m`,
    [name],
  )
  const [row] = rows
  if (row === undefined)
    throw new Error(`the store in schema ${schema} lacks its head: restore it from a backup`)
  const { revision, keys, size, migration } = row
  return {
    schema,
    revision: BigInt(revision),
    keys: BigInt(keys),
    size: BigInt(size),
    migration,
    version: versionOf(row, dialect),
  }
}

function versionOf({ number, checksum }: FactsRow, dialect: Dialect): StoreFacts['version'] {
  const newest = dialect.migrations.length
  if (number > newest) return 'newer'
  return number === newest && checksum === checksumOf(dialect) ? 'current' : 'older'
}
