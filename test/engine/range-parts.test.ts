import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/etcd/limits.ts'
import type { RangePart } from '../../src/store/range-parts.ts'
import type { KeyValue } from '../../src/store/types.ts'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { bytes, openStore, type TestStore, text } from '../support/store.ts'

const ALL = { key: bytes('\0'), rangeEnd: bytes('\0') }

type Request = Parameters<TestStore['range']>[0]

/** The parts of a range as a stream would read them. `between` runs before each but the first. */
async function partsOf(store: TestStore, request: Request, between = async () => {}): Promise<RangePart[]> {
  const parts = [await store.rangePart(request)]
  for (let { next, revision } = parts[0] as RangePart; next !== undefined; ) {
    await between()
    const part = await store.rangePart({ ...request, key: next, revision })
    parts.push(part)
    next = part.next
  }
  return parts
}

const keysOf = (parts: readonly { readonly kvs: readonly KeyValue[] }[]) =>
  parts.flatMap(({ kvs }) => kvs.map(({ key }) => text(key)))

describe.each(POSTGRES_VERSIONS)('parts of a range on PostgreSQL %i', (version) => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(version)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  it('show one revision, whatever is written between them', async () => {
    await using store = await openStore(postgres)
    const keys = Array.from(
      { length: 2 * LIMITS.rangePartKeys + 1 },
      (_, i) => `k${String(i).padStart(5, '0')}`,
    )
    await Promise.all(keys.map((key) => store.put({ key: bytes(key), value: bytes('old') })))
    const between = async () => {
      for (const at of [100, 1300, 1500, 1900]) {
        await store.put({ key: bytes(`${keys[at]}`), value: bytes('new') })
        await store.put({ key: bytes(`${keys[at]}x`), value: bytes('new') })
        await store.del({ key: bytes(`${keys[at + 1]}`) })
      }
      await store.del({ key: bytes('k017'), rangeEnd: bytes('k018') })
    }
    const parts = await partsOf(store, ALL, between)
    expect(parts.map(({ kvs }) => kvs.length)).toEqual([LIMITS.rangePartKeys, LIMITS.rangePartKeys, 1])
    expect(keysOf(parts)).toEqual(keys)
    for (const { kvs } of parts) for (const { value } of kvs) expect(text(value)).toBe('old')
    expect(new Set(parts.map(({ revision }) => revision))).toEqual(new Set([BigInt(1 + keys.length)]))
  })

  it('are bounded in bytes, but hold one key at least', async () => {
    await using store = await openStore(postgres)
    const put = (key: string, size: number) => store.put({ key: bytes(key), value: new Uint8Array(size) })
    for (const key of ['a', 'b']) await put(key, LIMITS.rangePartBytes)
    for (const key of ['c', 'd', 'e', 'f']) await put(key, LIMITS.rangePartBytes / 2)
    const parts = await partsOf(store, ALL)
    expect(parts.map((part) => keysOf([part]).join(''))).toEqual(['a', 'b', 'cd', 'ef'])
    const keysOnly = await partsOf(store, { ...ALL, keysOnly: true })
    expect(keysOnly.map((part) => keysOf([part]).join(''))).toEqual(['abcdef'])
    expect(keysOnly[0]?.kvs[0]?.value).toEqual(new Uint8Array(0))
  })

  it('fail as a range does, and when their revision is compacted between them', async () => {
    await using store = await openStore(postgres)
    for (const key of ['a', 'b', 'c']) await store.put({ key: bytes(key) })
    await expect(store.rangePart({ ...ALL, revision: 5n })).rejects.toThrow('future revision')
    const { revision, next } = await store.rangePart({ ...ALL, limit: 1n })
    expect({ revision, next }).toEqual({ revision: 4n, next: bytes('a\0') })
    const rest = { ...ALL, key: bytes('a\0'), revision }
    await store.compact(4n)
    expect(keysOf([await store.rangePart(rest)])).toEqual(['b', 'c'])
    await store.put({ key: bytes('a') })
    await store.compact(5n)
    await expect(store.rangePart(rest)).rejects.toThrow('has been compacted')
  })

  it('are what a range of that revision holds, in any history', { timeout: 120_000 }, async () => {
    const key = fc.constantFrom(...'abcdefgh').map(bytes)
    const change = fc.oneof(
      { weight: 3, arbitrary: fc.record({ put: key }) },
      fc.record({ from: key, to: fc.oneof(key, fc.constant(bytes('\0'))) }),
    )
    const history = fc.array(change, { minLength: 1, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(history, fc.bigInt({ min: 1n, max: 4n }), async (changes, limit) => {
        await using store = await openStore(postgres)
        for (const change of changes) {
          if ('put' in change) await store.put({ key: change.put })
          else await store.del({ key: change.from, rangeEnd: change.to })
        }
        const { revision: newest } = await store.store.head()
        for (let revision = 1n; revision <= newest; revision++) {
          const whole = await store.range({ ...ALL, revision })
          const parts = await partsOf(store, { ...ALL, revision, limit })
          expect(parts.flatMap(({ kvs }) => kvs)).toEqual(whole.kvs)
          expect((await store.range({ ...ALL, revision, limit })).kvs).toEqual(
            whole.kvs.slice(0, Number(limit)),
          )
        }
      }),
      { numRuns: 15 },
    )
  })

  it('invariant 6: cost what they hold, whatever was deleted since in the rest of the range', async () => {
    await using store = await openStore(postgres)
    const { schema } = store
    const keys = 10_000
    // Keys that stay, then as many between them that come, then go.
    const insert = (revision: string, life: string, previous: string, deleted: boolean, suffix: string) =>
      postgres.query(`
        insert into ${schema}.log (mod_revision, create_revision, version, lease, prev_revision, sub, prev_sub, create_sub, deleted, key, value)
        select ${revision}, ${life}, 1, 0, ${previous}, 0, 0, 0, ${deleted}, convert_to('k' || lpad(i::text, 6, '0') || '${suffix}', 'UTF8'), 'v'
        from generate_series(1, ${keys}) i`)
    await insert('1 + i', '1 + i', '0', false, '')
    await postgres.query(`
      insert into ${schema}.kv (key, create_revision, mod_revision, version, lease, sub, create_sub, value)
      select key, create_revision, mod_revision, version, lease, sub, create_sub, value from ${schema}.log`)
    await insert(`1 + ${keys} + i`, `1 + ${keys} + i`, '0', false, 'x')
    await insert(`1 + ${2 * keys} + i`, `1 + ${keys} + i`, `1 + ${keys} + i`, true, 'x')
    await postgres.query(`update ${schema}.head set revision = ${1 + 3 * keys}`)
    await postgres.query('vacuum (analyze)')
    const [before, since] = [BigInt(1 + 2 * keys), BigInt(1 + 3 * keys)]
    expect(keysOf([await store.rangePart({ ...ALL, revision: before, limit: 3n })])).toEqual([
      'k000001',
      'k000001x',
      'k000002',
    ])
    for (const revision of [before, since]) {
      const { rows } = await postgres.query(
        `explain (analyze, buffers, format json) select from ${schema}.range_at('\\x00', '', ${revision}, 100, true)`,
      )
      const [{ Plan }] = rows[0]['QUERY PLAN']
      expect(Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks'], `at ${revision}`).toBeLessThan(1500)
    }
  })
})
