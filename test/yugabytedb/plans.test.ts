import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withPostgresScheme } from '../../src/database-url.ts'
import { Engine } from '../../src/store/engine.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openPostgres } from '../../src/store/postgres/index.ts'
import type { Sql, Statement } from '../../src/store/sql.ts'
import { Store } from '../../src/store/store.ts'
import { YUGABYTEDB } from '../../src/store/yugabytedb/dialect.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { environment } from '../support/store.ts'
import { startYugabyteDbStandIn } from '../support/yugabytedb.ts'

const KEYS = 5000

/** Reads are explained, too: their plans by the statement's name. */
function explained(sql: Sql, plans: Map<string, string>): Sql {
  const read =
    (run: Sql['read']): Sql['read'] =>
    async (statement, parameters) => {
      const text = `explain (costs off) ${statement.text}`
      const explain: Statement = { name: `explain ${statement.name}`, text, types: statement.types }
      plans.set(statement.name, (await sql.long(explain, parameters)).map(([line]) => line).join('\n'))
      return await run(statement, parameters)
    }
  return { ...sql, read: read(sql.read), long: read(sql.long) }
}

describe('plans on the schema for YugabyteDB', () => {
  let postgres: Postgres
  let store: Store
  let schema: string
  const plans = new Map<string, string>()
  beforeAll(async () => {
    postgres = await startPostgres(18)
    await using database = await startYugabyteDbStandIn(postgres)
    schema = postgres.freshSchema()
    const connectionString = withPostgresScheme(database.url)
    await migrate({ connectionString }, schema, environment.log, false, YUGABYTEDB)
    await postgres.query(
      `with keys as (select g + 1 as revision, decode(lpad(to_hex(g), 8, '0'), 'hex') as key from generate_series(1, ${KEYS}) g),
            present as (insert into ${schema}.kv select k.key, k.revision, k.revision, 1, 0, 0, 0, k.key from keys k)
       insert into ${schema}.log select k.revision, k.revision, 1, 0, 0, 0, 0, 0, false, k.key, k.key from keys k`,
    )
    await postgres.query(`update ${schema}.head set revision = ${KEYS + 1}`)
    await postgres.query(`vacuum analyze ${schema}.kv, ${schema}.log, ${schema}.head, ${schema}.sweep`)
    const sql = explained(openPostgres({ connectionString: postgres.url }), plans)
    store = new Store(new Engine({ sql, schema, environment, leaseTimer: false }))
  })
  afterAll(async () => {
    await store.close()
    await postgres[Symbol.asyncDispose]()
  })

  const key = (i: number) => new Uint8Array([0, 0, i >> 8, i & 255])
  const request = (from: number, to?: number, more: object = {}) =>
    ({
      $typeName: 'etcdserverpb.RangeRequest',
      key: key(from),
      rangeEnd: to === undefined ? new Uint8Array(0) : key(to),
      limit: 0n,
      revision: 0n,
      sortOrder: 0,
      sortTarget: 0,
      serializable: false,
      keysOnly: false,
      countOnly: false,
      minModRevision: 0n,
      maxModRevision: 0n,
      minCreateRevision: 0n,
      maxCreateRevision: 0n,
      ...more,
    }) as const

  test.each([
    ['one key', 'range one', request(7)],
    ['a range', 'range between', request(7, 20)],
    ['a page of a range', 'range between page', request(7, 90, { limit: 10n })],
    ['the keys of a range', 'range between keys', request(7, 20, { keysOnly: true })],
    ['a count', 'count between', request(7, 20, { countOnly: true })],
  ])('%s is read by the index, in its order', async (_, name, range) => {
    await store.range(range)
    const plan = plans.get(name) ?? ''
    expect(plan).toMatch(/Index (Only )?Scan using kv_pkey on kv/)
    expect(plan).not.toMatch(/Seq Scan on (kv|log)|Bitmap/)
    expect(plan.replace(/Sort\n.*Sort Key: l.expires_at/g, '')).not.toMatch(/Sort\b.*\n.*key/)
  })

  test('events are read by the log in its order', async () => {
    await store.events.read({ after: BigInt(KEYS - 5), prevKv: true })
    const [plan = ''] = [...plans].filter(([name]) => name.startsWith('events')).map(([, text]) => text)
    expect(plan).toMatch(/Index Scan using log_pkey on log/)
    expect(plan).not.toMatch(/Seq Scan on log/)
  })

  test('reading the past needs no more than the index of lives where values are not asked for', async () => {
    const { rows } = await postgres.query(
      `explain (costs off) select g.mod_revision, g.version, g.lease from ${schema}.log g
       where g.create_revision = 7 and g.create_sub = 0 and g.mod_revision <= 9 order by g.mod_revision desc limit 1`,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan).toContain('Index Only Scan Backward using log_life on log g')
    expect(plan).not.toContain('Sort')
  })
})
