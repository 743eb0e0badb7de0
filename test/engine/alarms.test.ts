import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { bytes, openStore } from '../support/store.ts'

const NOSPACE = { memberId: 0n, alarm: 1 }
const CORRUPT = { memberId: 2n ** 64n - 1n, alarm: 2 }

const a = bytes('a')
const put = { request: { case: 'requestPut' as const, value: { key: a } } }
const del = { request: { case: 'requestDeleteRange' as const, value: { key: a } } }
const range = { request: { case: 'requestRange' as const, value: { key: a } } }
const compareHolds = { key: a, targetUnion: { case: 'version' as const, value: 1n } }

const noSpace = 'etcdserver: mvcc: database space exceeded'
const corrupt = 'etcdserver: corrupt cluster'
const never = new AbortController().signal

describe.each(POSTGRES_VERSIONS)('alarms on PostgreSQL %i', (version) => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(version)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  test('are raised once, listed by kind, and cleared', async () => {
    await using store = await openStore(postgres)
    const { alarms, status } = store.store
    await alarms.raise(CORRUPT)
    await alarms.raise(CORRUPT)
    await alarms.raise(NOSPACE)
    expect(await alarms.list(0)).toMatchObject({ head: { revision: 1n }, alarms: [NOSPACE, CORRUPT] })
    expect((await alarms.list(2)).alarms).toEqual([CORRUPT])
    expect((await status.read()).alarms).toEqual([NOSPACE, CORRUPT])
    expect(await alarms.clear({ ...CORRUPT, memberId: 1n })).toMatchObject({ wasRaised: false })
    expect(await alarms.clear(CORRUPT)).toMatchObject({ head: { revision: 1n }, wasRaised: true })
    expect((await alarms.list(0)).alarms).toEqual([NOSPACE])
  })

  test('NOSPACE refuses what may add data, in the very statement that would', async () => {
    await using store = await openStore(postgres)
    const { leases, alarms } = store.store
    await store.put({ key: a })
    await leases.grant(7n, 100n)
    await alarms.raise(NOSPACE)
    await expect(store.put({ key: a })).rejects.toThrow(noSpace)
    await expect(store.put({ key: a, lease: 8n })).rejects.toThrow(noSpace)
    await expect(leases.grant(8n, 100n)).rejects.toThrow(noSpace)
    await expect(leases.grant(7n, 100n)).rejects.toThrow(noSpace)
    const nested = { request: { case: 'requestTxn' as const, value: { failure: [put] } } }
    for (const txn of [
      { success: [put] },
      { compare: [compareHolds], failure: [put] },
      { success: [nested] },
    ]) {
      await expect(store.txn(txn)).rejects.toThrow(noSpace)
    }
    expect(await store.txn({ compare: [compareHolds], success: [range], failure: [del] })).toMatchObject({
      succeeded: true,
    })
    expect(await leases.keepAlive(7n)).toMatchObject({ ttl: 100n })
    expect(await store.txn({ success: [del] })).toMatchObject({ head: { revision: 3n } })
    expect(await store.store.revoke(7n, never)).toBe(3n)
    expect(await store.compact(3n)).toBe(3n)
    await alarms.clear(NOSPACE)
    expect(await store.put({ key: a })).toMatchObject({ revision: 4n })
  })

  test('requests that share a statement are refused each for itself', async () => {
    await using store = await openStore(postgres)
    await store.put({ key: a })
    await store.store.alarms.raise(NOSPACE)
    const [refused, deleted, alsoRefused] = await Promise.allSettled([
      store.put({ key: bytes('b') }),
      store.del({ key: a }),
      store.put({ key: bytes('c') }),
    ])
    expect(refused.status).toBe('rejected')
    expect(deleted).toMatchObject({ value: { revision: 3n, deleted: 1n } })
    expect(alsoRefused.status).toBe('rejected')
  })

  test('CORRUPT refuses every change, before NOSPACE; reads go on, and leases end', async () => {
    await using store = await openStore(postgres)
    const { leases, alarms } = store.store
    await leases.grant(7n, 100n)
    await store.put({ key: a, lease: 7n })
    await alarms.raise(NOSPACE)
    await alarms.raise(CORRUPT)
    await expect(store.put({ key: a })).rejects.toThrow(corrupt)
    await expect(store.del({ key: a })).rejects.toThrow(corrupt)
    await expect(store.txn({ success: [{ request: { case: 'requestTxn', value: {} } }] })).rejects.toThrow(
      corrupt,
    )
    await expect(store.compact(2n)).rejects.toThrow(corrupt)
    await expect(leases.grant(8n, 100n)).rejects.toThrow(corrupt)
    await expect(store.store.revoke(7n, never)).rejects.toThrow(corrupt)
    expect(await store.range({ key: a })).toMatchObject({ count: 1n })
    expect(await store.inspect({ success: [range] })).toMatchObject({ succeeded: true })
    await postgres.query(`update ${store.schema}.lease set expires_at = clock_timestamp()`)
    await postgres.query(`update ${store.schema}.head set incarnation = ${store.schema}.incarnation()`)
    expect(await store.range({ key: a })).toMatchObject({ count: 0n })
  })

  test('an alarm of an unknown kind refuses nothing', async () => {
    await using store = await openStore(postgres)
    await store.store.alarms.raise({ memberId: 0n, alarm: 7 })
    expect(await store.put({ key: a })).toMatchObject({ revision: 2n })
    await store.store.leases.grant(7n, 100n)
  })

  test('the status tells a size that grows with the data, and how much of it is in use', async () => {
    await using store = await openStore(postgres)
    const before = await store.store.status.read()
    expect(before.sizeInUse).toBeGreaterThan(0n)
    await store.put({ key: a, value: new Uint8Array(1_000_000).map(() => Math.random() * 256) })
    const after = await store.store.status.read()
    expect(after.size).toBeGreaterThan(before.size + 900_000n)
    expect(after.sizeInUse).toBeLessThanOrEqual(after.size)
  })
})
