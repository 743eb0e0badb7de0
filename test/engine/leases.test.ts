import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, type Gateway, type JsonObject, type RangeAnswer } from '../support/gateway.ts'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { LOG_ENTRIES, logDuring } from '../support/postgres-log.ts'
import { prefixRange, watch } from '../support/watching.ts'

/** How much later than its deadline a lease may end on a machine that is busy with other tests, in milliseconds. */
const LATENESS_MS = 2000

const grant = (gateway: Gateway, ID: string, TTL: string) => gateway.ok('/v3/lease/grant', { ID, TTL })
const putOn = (gateway: Gateway, lease: string, key: string) =>
  gateway.ok<RangeAnswer>('/v3/kv/put', { key: b64(key), lease })

describe.each(POSTGRES_VERSIONS)('leases on PostgreSQL %i (invariant 9)', (version) => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(version, { settings: { ...LOG_ENTRIES, log_statement: 'all' } })
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  /** Milliseconds since a moment of the database's clock, by which leases live. */
  const msSince = async (moment: string): Promise<number> => {
    const { rows } = await postgres.query(
      `select extract(epoch from clock_timestamp() - ${moment})::float8 * 1000 as ms`,
    )
    return rows[0].ms
  }
  const deadlineOf = async (schema: string, lease: string): Promise<string> => {
    const { rows } = await postgres.query(`select expires_at::text from ${schema}.lease where id = ${lease}`)
    return `timestamptz '${rows[0].expires_at}'`
  }
  /** `servedSince`: a moment before which nobody was there to end it. */
  const expectOnTime = async (deadline: string, servedSince = deadline) => {
    const [lateMs, unservedMs] = [await msSince(deadline), await msSince(servedSince)]
    expect(lateMs).toBeGreaterThanOrEqual(0)
    expect(Math.min(lateMs, unservedMs)).toBeLessThan(LATENESS_MS)
  }
  const now = async (): Promise<string> => {
    const { rows } = await postgres.query('select clock_timestamp()::text as now')
    return `timestamptz '${rows[0].now}'`
  }

  test('nobody asks: the keys of each lease vanish at its deadline, as one revision', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const { gateway } = server
    const watching = await watch(gateway, prefixRange('l/'))
    await grant(gateway, '8', '5')
    await grant(gateway, '7', '4')
    const deadlines = [await deadlineOf(schema, '7'), await deadlineOf(schema, '8')] as const
    await putOn(gateway, '7', 'l/b')
    await putOn(gateway, '8', 'l/c')
    await putOn(gateway, '7', 'l/a')
    await watching.reached(5)
    await expectOnTime(deadlines[0])
    await watching.reached(6)
    await expectOnTime(deadlines[1])
    watching.close()
    const ends = watching.events.filter(({ type }) => type === 'DELETE')
    expect(ends.map(({ key, revision }) => [key, revision])).toEqual([
      ['l/a', 5],
      ['l/b', 5],
      ['l/c', 6],
    ])
  })

  test('a server that was started on leases from before ends them on time, too', async () => {
    const schema = postgres.freshSchema()
    const before = await startEdgetcd({ databaseUrl: postgres.url, schema })
    await grant(before.gateway, '7', '3')
    await putOn(before.gateway, '7', 'l')
    const deadline = await deadlineOf(schema, '7')
    await before[Symbol.asyncDispose]()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const servedSince = await now()
    const watching = await watch(server.gateway, { key: b64('l'), start_revision: '3' })
    await watching.reached(3)
    watching.close()
    await expectOnTime(deadline, servedSince)
  })

  describe('statements (invariant 3)', () => {
    let server: Edgetcd
    let schema: string
    beforeAll(async () => {
      schema = postgres.freshSchema()
      server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    })
    afterAll(() => server[Symbol.asyncDispose]())

    /**
     * The names of the statements that the server sent for a call. A new connection's beginning is no statement; nor is
     * the look at the store's size, which comes some time after a write.
     */
    const statements = async (path: string, body: JsonObject): Promise<string[]> => {
      const entries = await logDuring(postgres, () => server.gateway.ok(path, body))
      return entries.flatMap((entry) => {
        const [, name] = /^edgetcd=LOG: {2}execute ([^:]+):/.exec(entry) ?? []
        return name === undefined || name === 'quota' ? [] : [name.replace(/[^a-z -].*$/i, '').trim()]
      })
    }

    test('the first request of a process asks once who the store is and what anybody may do, the second does not', async () => {
      const first = await statements('/v3/kv/range', { key: b64('k') })
      const second = await statements('/v3/kv/range', { key: b64('k') })
      expect(first).toEqual(['auth rights', 'head', 'range one'])
      expect(second).toHaveLength(1)
    })

    test.each([
      ['range', '/v3/kv/range', { key: b64('l') }],
      ['range of everything', '/v3/kv/range', { key: b64('\0'), range_end: b64('\0') }],
      ['txn that only reads', '/v3/kv/txn', { success: [{ request_range: { key: b64('l') } }] }],
      ['time to live', '/v3/lease/timetolive', { ID: '7' }],
      ['leases', '/v3/lease/leases', {}],
    ] as const)(
      '%s while a lease is due: ends it and asks again, two statements more',
      async (_, path, body) => {
        await makeDue()
        const [asked, ends, again, ...more] = await statements(path, body)
        expect([ends, again, more]).toEqual(['apply', asked, []])
        expect(await server.gateway.get('l')).toBeUndefined()
      },
    )

    // These tell the timer of the due lease, too: its look travels at the same time, and is no statement of the call.
    test.each([
      ['keep-alive', '/v3/lease/keepalive', { ID: '7' }],
      ['grant of its id', '/v3/lease/grant', { ID: '7', TTL: '600' }],
    ] as const)('%s while the lease is due: ends it and asks once more', async (_, path, body) => {
      await makeDue()
      const sent = await statements(path, body)
      const asked = sent.filter((name) => name !== 'apply' && name !== 'head')
      expect(asked).toEqual([sent[0], sent[0]])
      expect(sent.slice(1, sent.lastIndexOf(asked[0] ?? ''))).toContain('apply')
      expect(await server.gateway.get('l')).toBeUndefined()
    })

    test('put while a lease is due: the write ends it, no statement more', async () => {
      await makeDue()
      expect(await statements('/v3/kv/put', { key: b64('k') })).toEqual(['apply'])
      expect(await server.gateway.get('l')).toBeUndefined()
    })

    /** A lease with a key that fell due a moment ago, without the server's timer knowing. */
    async function makeDue(): Promise<void> {
      await server.gateway.call('/v3/lease/revoke', { ID: '7' })
      await grant(server.gateway, '7', '600')
      await putOn(server.gateway, '7', 'l')
      // The run of the database is known from here on: the deadline is one that clients could have met.
      await postgres.query(`update ${schema}.head set incarnation = ${schema}.incarnation()`)
      await postgres.query(`update ${schema}.lease set expires_at = clock_timestamp()`)
    }
  })

  test('after a restart of PostgreSQL leases from before get one more TTL, those granted since end on time', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const { gateway } = server
    await grant(gateway, '6', '600')
    // This one ends in the first run of the database, which the store knows from then on.
    await grant(gateway, '5', '3')
    await putOn(gateway, '5', 'l/ended')
    const watching = await watch(gateway, { ...prefixRange('l/'), start_revision: '3' })
    await watching.reached(3)
    await grant(gateway, '7', '10')
    await putOn(gateway, '7', 'l/before')
    const deadlineBefore = await deadlineOf(schema, '7')

    await postgres.stop('fast')
    await postgres.start()
    await ready(gateway)
    await grant(gateway, '8', '3')
    await putOn(gateway, '8', 'l/since')
    const deadlineSince = await deadlineOf(schema, '8')
    await watching.reached(6)
    await expectOnTime(deadlineSince)
    expect(watching.events.at(-1)).toMatchObject({ type: 'DELETE', key: 'l/since' })

    const deadlineNow = await deadlineOf(schema, '7')
    expect(deadlineNow > deadlineBefore).toBe(true)
    const { rows } = await postgres.query(
      `select extract(epoch from ${deadlineNow} - pg_postmaster_start_time())::float8 as ttl`,
    )
    expect(rows[0].ttl, 'counted from the return of the database').toBeCloseTo(10, 1)
    const { rows: kept } = await postgres.query(
      `select extract(epoch from expires_at - pg_postmaster_start_time())::float8 as ttl from ${schema}.lease where id = 6`,
    )
    expect(kept[0].ttl, 'a TTL anew, never less').toBeCloseTo(600, 1)
    await watching.reached(7)
    await expectOnTime(deadlineNow)
    expect(watching.events.at(-1)).toMatchObject({ type: 'DELETE', key: 'l/before', revision: 7 })
    watching.close()
  })
})

/** Resolves when the server has its database back. */
async function ready(gateway: Gateway): Promise<void> {
  while ((await gateway.status('/readyz')) !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
}
