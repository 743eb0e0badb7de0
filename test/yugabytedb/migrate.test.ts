import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withPostgresScheme } from '../../src/database-url.ts'
import type { Log } from '../../src/environment.ts'
import { statementsIn } from '../../src/store/dialect/ddl.ts'
import { type Dialect, writeAsc } from '../../src/store/dialect/dialect.ts'
import { POSTGRES } from '../../src/store/dialect/postgres.ts'
import { migrate } from '../../src/store/migrate.ts'
import { writeSchema } from '../../src/store/statement.ts'
import { YUGABYTEDB } from '../../src/store/yugabytedb/dialect.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { chosenSeed, SeededRandom } from '../support/random.ts'
import { startYugabyteDbStandIn, type YugabyteDbStandIn } from '../support/yugabytedb.ts'

const quiet: Log = () => {}

const tablesOf = (dialect: Dialect) =>
  dialect.migrations.flatMap(({ sql }) => statementsIn(writeAsc(sql, dialect)))

describe("YugabyteDB's dialect", () => {
  let postgres: Postgres
  let database: YugabyteDbStandIn
  let config: { connectionString: string }
  beforeAll(async () => {
    postgres = await startPostgres(18)
    database = await startYugabyteDbStandIn(postgres)
    config = { connectionString: withPostgresScheme(database.url) }
  })
  afterAll(async () => {
    await database[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  /** Columns, indexes and rows of a store, but for the identities that are drawn by lot. */
  const shapeOf = async (schema: string) => {
    const ask = async (sql: string) => (await postgres.query(sql, [schema])).rows
    return [
      await ask(
        `select table_name, column_name, data_type from information_schema.columns where table_schema = $1 order by 1, 2`,
      ),
      await ask(
        `select replace(indexdef, $1, '') as index from pg_indexes where schemaname = $1 order by indexname`,
      ),
      await ask(
        `select p.proname, replace(p.prosrc, quote_ident($1), '') as source from pg_proc p
         where p.pronamespace = $1::regnamespace order by 1, pg_get_function_arguments(p.oid)`,
      ),
      (await postgres.query(`select revision, compact_revision, auth_version from ${schema}.head`)).rows,
      (await postgres.query(`select count(*) from ${schema}.cluster`)).rows,
    ]
  }

  test("its tables differ from PostgreSQL's in what docs/yugabytedb.md tells, and in nothing else", async () => {
    const lines = (dialect: Dialect) => tablesOf(dialect).flatMap((sql) => `${sql};`.split('\n'))
    const [own, theirs] = [lines(YUGABYTEDB), lines(POSTGRES)]
    const only = (mine: readonly string[], others: readonly string[]) =>
      mine.filter((line) => !others.includes(line))
    const text = [
      '-- Only on YugabyteDB',
      ...only(own, theirs),
      '-- Only on PostgreSQL',
      ...only(theirs, own),
    ]
    await expect(`${text.join('\n')}\n`).toMatchFileSnapshot('differences.sql')
    const functions = POSTGRES.functions.filter((sql) => !YUGABYTEDB.functions.includes(sql))
    expect(functions.map((sql) => /:schema\.(\w+)/.exec(sql)?.[1])).toEqual([
      'incarnation',
      'lock_writes',
      'store_size',
    ])
  })

  test('shards every primary key and index by ranges', () => {
    const keys = tablesOf(YUGABYTEDB).flatMap((sql) =>
      [
        ...sql.matchAll(/primary key \(([^)]*)\)|^create index nonconcurrently .*? on \S+ \(([^)]*)\)/gs),
      ].flatMap(([, key, index]) => (key ?? index ?? '').split(',')),
    )
    expect(keys.length).toBeGreaterThan(20)
    for (const column of keys) expect(column).toMatch(/ asc$/)
  })

  test('several servers may migrate at once', async () => {
    const schema = postgres.freshSchema()
    await Promise.all(Array.from({ length: 4 }, () => migrate(config, schema, quiet, false, YUGABYTEDB)))
    const alone = postgres.freshSchema()
    await migrate(config, alone, quiet, false, YUGABYTEDB)
    expect(await shapeOf(schema)).toEqual(await shapeOf(alone))
  })

  test('several servers may migrate at once while their statements fail, before they were run and behind', async () => {
    const alone = postgres.freshSchema()
    await migrate(config, alone, quiet, false, YUGABYTEDB)
    const random = new SeededRandom(chosenSeed())
    const codes = ['40001', '40P01', 'XX000'] as const
    database.chaos = () =>
      random.chance(0.005)
        ? {
            sqlstate: random.pick(codes),
            text: 'Catalog Version Mismatch',
            ...(random.chance(0.5) && { at: 'commit' }),
          }
        : undefined
    const schema = postgres.freshSchema()
    const migrating = Array.from({ length: 3 }, () => migrate(config, schema, quiet, false, YUGABYTEDB))
    await Promise.all(migrating).finally(() => {
      database.chaos = undefined
    })
    expect(await shapeOf(schema), `seed ${random.seed}`).toEqual(await shapeOf(alone))
  })

  test('a migration that was cut off at any statement is taken up again', async () => {
    const whole = postgres.freshSchema()
    await migrate(config, whole, quiet, false, YUGABYTEDB)
    const shape = await shapeOf(whole)
    const statements = tablesOf({ ...YUGABYTEDB, asc: '' })
    for (let done = 1; done < statements.length; done += 12) {
      const schema = postgres.freshSchema()
      await postgres.query(`create schema ${schema}`)
      for (const statement of statements.slice(0, done))
        await postgres.query(writeSchema(statement.replace(' nonconcurrently', ''), schema))
      await migrate(config, schema, quiet, false, YUGABYTEDB)
      expect(await shapeOf(schema)).toEqual(shape)
    }
  })

  test('a migration done changes nothing any more', async () => {
    const schema = postgres.freshSchema()
    await migrate(config, schema, quiet, false, YUGABYTEDB)
    const before = await postgres.query(`select xmin, * from ${schema}.function_set`)
    await migrate(config, schema, quiet, true, YUGABYTEDB)
    expect((await postgres.query(`select xmin, * from ${schema}.function_set`)).rows).toEqual(before.rows)
  })

  test.each([
    ['yb_read_from_followers', 'on'],
    ['yb_read_after_commit_visibility', 'relaxed'],
  ])('one whose reads may be old by its %s is refused', async (setting, value) => {
    await using stale = await startYugabyteDbStandIn(postgres, { settings: { [setting]: value } })
    const migrating = migrate(
      { connectionString: withPostgresScheme(stale.url) },
      postgres.freshSchema(),
      quiet,
      false,
      YUGABYTEDB,
    )
    await expect(migrating).rejects.toThrow(
      new RegExp(`^its reads may be old: set ${setting} to \\w+ for this role$`),
    )
  })

  test('neither engine is taken for the other', async () => {
    const schema = postgres.freshSchema()
    await expect(migrate(config, schema, quiet)).rejects.toThrow(
      'it is YugabyteDB (15.12-YB-2025.2.0.0-b131), which does some things otherwise: let its URL begin with yugabytedb://',
    )
    await expect(
      migrate({ connectionString: postgres.url }, schema, quiet, false, YUGABYTEDB),
    ).rejects.toThrow(/^it is PostgreSQL 18\S*, not YugabyteDB: let its URL begin with postgres:\/\/$/)
    expect((await postgres.query('select from pg_namespace where nspname = $1', [schema])).rowCount).toBe(0)
  })
})
