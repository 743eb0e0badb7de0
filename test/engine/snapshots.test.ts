import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { bytes, openStore, text } from '../support/store.ts'

/** Invariant 5: which snapshot a read and a write see. Each is shown to go wrong first, so that the tests can fail. */
describe.each(POSTGRES_VERSIONS)('snapshots on PostgreSQL %i', (version) => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(version)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  async function session(): Promise<pg.Client & AsyncDisposable> {
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
  }

  /** Resolves once some session waits for a lock. */
  async function someoneWaits(): Promise<void> {
    for (;;) {
      const { rowCount } = await postgres.query(`select from pg_stat_activity where wait_event_type = 'Lock'`)
      if (rowCount) return
    }
  }

  /** A function that reads the head, waits until `gate` is free, and reads the keys: the moment in which a write happens. */
  const tornFunction = (schema: string, volatility: 'volatile' | 'stable') => `
    create function ${schema}.${volatility}_read() returns table (revision bigint, keys bigint)
    language plpgsql ${volatility} as $$
    begin
      select h.revision into revision from ${schema}.head h;
      perform pg_advisory_lock_shared(hashtext('gate'));
      perform pg_advisory_unlock_shared(hashtext('gate'));
      select count(*) into keys from ${schema}.kv;
      return next;
    end $$`

  test.each([
    ['volatile', { revision: '1', keys: '1' }],
    ['stable', { revision: '1', keys: '0' }],
  ] as const)('a %s function reads head and keys as %o', async (volatility, seen) => {
    await using store = await openStore(postgres)
    await postgres.query(tornFunction(store.schema, volatility))
    await using gate = await session()
    await using reader = await session()
    await gate.query(`select pg_advisory_lock(hashtext('gate'))`)
    const reading = reader.query(`select * from ${store.schema}.${volatility}_read()`)
    await someoneWaits()
    await store.put({ key: bytes('k') })
    await gate.query(`select pg_advisory_unlock(hashtext('gate'))`)
    expect((await reading).rows[0]).toEqual(seen)
  })

  test('a lock taken inside a larger statement leaves it on the snapshot from before the wait', async () => {
    await using store = await openStore(postgres)
    await using holder = await session()
    await using waiter = await session()
    await holder.query('begin')
    await holder.query(`update ${store.schema}.head set revision = 2`)
    // One statement that locks the head and reads a key: the lock waits, the read does not.
    const waiting = waiter.query(
      `with h as materialized (select revision from ${store.schema}.head for update)
       select h.revision, (select count(*) from ${store.schema}.kv) as keys from h`,
    )
    await someoneWaits()
    await holder.query(`insert into ${store.schema}.kv values ('k', 2, 2, 1, 0, 0, 0, '')`)
    await holder.query('commit')
    expect((await waiting).rows[0]).toEqual({ revision: '2', keys: '0' })
  })

  test('apply() takes the lock first and then sees all that committed while it waited', async () => {
    await using store = await openStore(postgres)
    await store.put({ key: bytes('k'), value: bytes('old') })
    await using holder = await session()
    await holder.query('begin')
    await holder.query(`lock table ${store.schema}.write_lock in share row exclusive mode`)
    const waiting = store.put({ key: bytes('k'), value: bytes('new'), prevKv: true })
    await someoneWaits()
    await holder.query(
      `select from ${store.schema}.apply('{1,10}', '{3,0}', '{-1,0}', '{0,0}', '{NULL,k}', '{NULL,NULL}', '{NULL,middle}', 1)`,
    )
    await holder.query('commit')
    const { revision, prevKv } = await waiting
    expect(revision).toBe(4n)
    expect(prevKv && text(prevKv.value)).toBe('middle')
  })

  test('apply() refuses a session whose snapshots are frozen', async () => {
    await using store = await openStore(postgres)
    await using frozen = await session()
    await frozen.query('begin isolation level repeatable read')
    const write = frozen.query(
      `select from ${store.schema}.apply('{}', '{}', '{}', '{}', '{}', '{}', '{}', 1)`,
    )
    await expect(write).rejects.toThrow('edgetcd writes need READ COMMITTED')
  })

  test('writers wait in the order in which they came (invariant 1)', async () => {
    await using store = await openStore(postgres)
    await using holder = await session()
    await holder.query('begin')
    await holder.query(`lock table ${store.schema}.write_lock in share row exclusive mode`)
    const put = `select revision from ${store.schema}.apply('{1,10}', '{3,0}', '{-1,0}', '{0,0}', array[null,$1::bytea], '{NULL,NULL}', '{NULL,v}', 1) where step = 2`
    const writers: { client: pg.Client; revision: Promise<unknown> }[] = []
    for (const key of ['a', 'b', 'c', 'd']) {
      const client = await session()
      writers.push({ client, revision: client.query(put, [bytes(key)]).then((r) => r.rows[0]?.revision) })
      for (;;) {
        const { rowCount } = await postgres.query(`select from pg_locks where not granted`)
        if (rowCount === writers.length) break
      }
    }
    await holder.query('commit')
    expect(await Promise.all(writers.map((w) => w.revision))).toEqual(['2', '3', '4', '5'])
    for (const { client } of writers) await client.end()
  })

  test('a lease that is renewed while its expiry waits for it survives (invariant 9)', async () => {
    await using store = await openStore(postgres)
    await store.store.leases.grant(7n, 100n)
    await store.put({ key: bytes('l'), lease: 7n })
    await postgres.query(`update ${store.schema}.head set incarnation = ${store.schema}.incarnation()`)
    await postgres.query(`update ${store.schema}.lease set expires_at = clock_timestamp()`)
    await using renewer = await session()
    await renewer.query('begin')
    await renewer.query(`update ${store.schema}.lease set expires_at = clock_timestamp() + interval '100 s'`)
    const reading = store.range({ key: bytes('l') })
    await someoneWaits()
    await renewer.query('commit')
    expect(await reading).toMatchObject({ head: { revision: 2n }, count: 1n })
    expect(await store.store.leases.timeToLive(7n, false)).toMatchObject({ lease: { grantedTtl: 100n } })
  })

  test('a lease whose end came first is not renewed any more (invariant 9)', async () => {
    await using store = await openStore(postgres)
    await store.store.leases.grant(7n, 100n)
    await using ender = await session()
    await ender.query('begin')
    await ender.query(`delete from ${store.schema}.lease`)
    const renewing = store.store.leases.keepAlive(7n)
    await someoneWaits()
    await ender.query('commit')
    expect(await renewing).toMatchObject({ ttl: 0n })
  })
})
