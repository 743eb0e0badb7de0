import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keysOf } from '../../src/store/snapshot.ts'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { bytes, openStore, type TestStore, text } from '../support/store.ts'

async function collect<T, U>(items: AsyncIterable<T>, from: (item: T) => U): Promise<U[]> {
  const collected: U[] = []
  for await (const item of items) collected.push(from(item))
  return collected
}

describe.each(POSTGRES_VERSIONS)('snapshots of the store on PostgreSQL %i', (version) => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(version)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  const keysAt = ({ store }: TestStore, revision: bigint) =>
    keysOf((from) => store.snapshots.part(from, revision))
  test('hold the store as it was when they began, whatever is written meanwhile', async () => {
    await using store = await openStore(postgres)
    const { snapshots, leases } = store.store
    await leases.grant(9n, 100n)
    await leases.grant(7n, 300n)
    const keys = Array.from({ length: 2500 }, (_, i) => `k${String(i).padStart(4, '0')}`)
    await Promise.all(keys.map((key) => store.put({ key: bytes(key), value: bytes(`${key}!`), lease: 7n })))
    const { head, ...size } = await snapshots.size()
    expect(head.revision).toBe(2501n)
    expect(size).toMatchObject({ keys: 2500n, bytes: 2500n * 11n })
    expect(Buffer.from(size.leases).toString('hex')).toBe(
      '0000000000000007000000000000012c00000000000000090000000000000064',
    )
    const found: string[] = []
    for await (const kv of keysAt(store, head.revision)) {
      found.push(text(kv.key))
      expect([kv.version, kv.lease, text(kv.value)]).toEqual([1n, 7n, `${text(kv.key)}!`])
      if (found.length === 10) {
        await store.put({ key: bytes('k2000') })
        await store.del({ key: bytes('k2001') })
        await store.put({ key: bytes('k2001x') })
      }
    }
    expect(found).toEqual(keys)
  })

  test('read no more values at once than a bound, but always one', async () => {
    await using store = await openStore(postgres)
    const value = new Uint8Array(1_500_000).fill(7)
    for (const key of ['a', 'b', 'c', 'd', 'e']) await store.put({ key: bytes(key), value })
    const { keys, bytes: size } = await store.store.snapshots.size()
    expect([keys, size]).toEqual([5n, 7_500_005n])
    const found = await collect(keysAt(store, 6n), (kv) => [text(kv.key), kv.value.length])
    expect(found).toEqual(['a', 'b', 'c', 'd', 'e'].map((key) => [key, 1_500_000]))
  })

  test('fail when their revision is compacted meanwhile', async () => {
    await using store = await openStore(postgres)
    for (const key of ['a', 'b']) await store.put({ key: bytes(key) })
    await store.compact(3n)
    expect(await collect(keysAt(store, 3n), (kv) => text(kv.key))).toEqual(['a', 'b'])
    await store.put({ key: bytes('a') })
    await store.compact(4n)
    await expect(collect(keysAt(store, 3n), ({ key }) => text(key))).rejects.toThrow('has been compacted')
  })

  test('of an empty store are empty', async () => {
    await using store = await openStore(postgres)
    expect(await store.store.snapshots.size()).toMatchObject({
      keys: 0n,
      bytes: 0n,
      leases: { length: 0 },
    })
    expect(await collect(keysAt(store, 1n), ({ key }) => text(key))).toEqual([])
  })
})
