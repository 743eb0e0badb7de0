import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgres } from '../../src/store/postgres/index.ts'
import { UNCACHEABLE } from '../../src/store/statement.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { bytes, openStore } from '../support/store.ts'
import { withQueryCache } from './query-cache.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

/** What our own statements name besides the marker, and Hyperdrive's list might or might not hold. */
const withoutNames = (text: string): string =>
  text.replaceAll(UNCACHEABLE, '').replaceAll(/clock_timestamp|pg_\w+/g, '')

test('without the marker, a repeated put would be answered from the cache and never done', async () => {
  const sql = withQueryCache(openPostgres({ connectionString: postgres.url }), withoutNames)
  await using store = await openStore(postgres, { sql })
  expect((await store.put({ key: bytes('k') })).revision).toBe(2n)
  expect((await store.put({ key: bytes('k') })).revision).toBe(2n)
})

test('with the marker every statement is run, though the cache is on', async () => {
  const sql = withQueryCache(openPostgres({ connectionString: postgres.url }))
  await using store = await openStore(postgres, { sql })
  expect((await store.put({ key: bytes('k') })).revision).toBe(2n)
  expect((await store.put({ key: bytes('k') })).revision).toBe(3n)
  expect((await store.range({ key: bytes('k') })).kvs[0]?.version).toBe(2n)
  await store.put({ key: bytes('k') })
  expect((await store.range({ key: bytes('k') })).kvs[0]?.version).toBe(3n)
})
