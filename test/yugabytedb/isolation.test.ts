import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkIncrements } from '../support/counter.ts'
import { startEdgetcd } from '../support/edgetcd.ts'
import { b64 } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startYugabyteDbStandIn, type YugabyteDbStandIn } from '../support/yugabytedb.ts'

const DURATION_MS = 3000

describe.each([
  ['READ COMMITTED', false],
  ['snapshot isolation', true],
])('the schema for YugabyteDB, on PostgreSQL under %s', (isolation, snapshotIsolation) => {
  let postgres: Postgres
  let database: YugabyteDbStandIn
  beforeAll(async () => {
    postgres = await startPostgres(18)
    database = await startYugabyteDbStandIn(postgres, { snapshotIsolation })
  })
  afterAll(async () => {
    await database[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  test('the server says which isolation is in effect, and sends nothing that YugabyteDB lacks', async () => {
    await using server = await startEdgetcd({ databaseUrl: database.url, schema: postgres.freshSchema() })
    await server.gateway.put('k', 'v')
    expect(server.child.output()).toContain(
      snapshotIsolation ? 'READ COMMITTED is not in effect' : 'READ COMMITTED is in effect',
    )
    for (const path of ['status', 'defragment']) await server.gateway.ok(`/v3/maintenance/${path}`, {})
    expect(database.lacking).toEqual([])
  })

  test('invariants 1, 3 and 7: clients increment one key through two servers', async () => {
    const store = { databaseUrl: database.url, schema: postgres.freshSchema() }
    const increments = await checkIncrements(store, DURATION_MS)
    console.log(`${isolation}: ${increments} increments in ${DURATION_MS / 1000} s`)
  })

  test('a put on a lease sees that it was revoked while it waited, though that was no revision', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: database.url, schema })
    await server.gateway.ok('/v3/lease/grant', { ID: '7', TTL: '60' })
    const other = new Client({ connectionString: postgres.url })
    await other.connect()
    try {
      await other.query('begin')
      // REQUEST, REVOKE 7: another server's, which has not committed yet.
      await other.query(
        `select * from ${schema}.apply('{1,13}', '{3,0}', '{-1,7}', '{0,0}', '{null,null}', '{null,null}', '{null,null}', 100)`,
      )
      const put = server.gateway.call('/v3/kv/put', { key: b64('k'), lease: '7' })
      const waiting = async () =>
        (await postgres.query(`select from pg_locks where not granted`)).rowCount ?? 0
      await expect.poll(waiting).toBeGreaterThan(0)
      await other.query('commit')
      expect((await put).body).toMatchObject({ code: 5, message: 'etcdserver: requested lease not found' })
    } finally {
      await other.end()
    }
  })
})
