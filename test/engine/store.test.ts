import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { bytes, openStore, type TestStore, text } from '../support/store.ts'

describe.each(POSTGRES_VERSIONS)('the store on PostgreSQL %i', (version) => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(version)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  const everything = { key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]) }
  const keys = async (store: TestStore, revision = 0n) =>
    (await store.range({ ...everything, revision })).kvs.map((kv) => `${text(kv.key)}=${text(kv.value)}`)

  test("a key's life through puts, a delete and a compaction (invariants 1 and 8)", async () => {
    await using store = await openStore(postgres)
    expect((await store.put({ key: bytes('k'), value: bytes('a') })).revision).toBe(2n)
    expect((await store.put({ key: bytes('k'), value: bytes('b') })).revision).toBe(3n)
    expect(await store.del({ key: bytes('k') })).toMatchObject({ revision: 4n, deleted: 1n })
    expect((await store.put({ key: bytes('k'), value: bytes('c') })).revision).toBe(5n)
    const history = await Promise.all([1n, 2n, 3n, 4n, 5n].map((revision) => keys(store, revision)))
    expect(history).toEqual([[], ['k=a'], ['k=b'], [], ['k=c']])

    await store.store.compact(
      { $typeName: 'etcdserverpb.CompactionRequest', revision: 4n, physical: true },
      new AbortController().signal,
    )
    await store.store.compaction.sweep()
    const log = await postgres.query(`select mod_revision from ${store.schema}.log order by 1`)
    expect(log.rows.map((row) => row.mod_revision)).toEqual(['4', '5'])
    await expect(keys(store, 3n)).rejects.toThrow('required revision has been compacted')
    expect(await keys(store, 4n)).toEqual([])
    expect(await keys(store, 5n)).toEqual(['k=c'])
  })

  test('a transaction is one revision, reads its own writes, and compares see the state before it (invariant 2)', async () => {
    await using store = await openStore(postgres)
    await store.put({ key: bytes('a'), value: bytes('1') })
    const answer = await store.txn({
      compare: [{ key: bytes('a'), targetUnion: { case: 'modRevision', value: 2n }, target: 2 }],
      success: [
        { request: { case: 'requestPut', value: { key: bytes('b'), value: bytes('2'), prevKv: true } } },
        { request: { case: 'requestRange', value: everything } },
        {
          request: {
            case: 'requestTxn',
            value: {
              compare: [{ key: bytes('b'), targetUnion: { case: 'version', value: 0n } }],
              success: [
                { request: { case: 'requestDeleteRange', value: { key: bytes('a'), prevKv: true } } },
              ],
              failure: [{ request: { case: 'requestPut', value: { key: bytes('never') } } }],
            },
          },
        },
      ],
    })
    expect(answer.head.revision).toBe(3n)
    expect(answer.succeeded).toBe(true)
    expect(answer.responses).toMatchObject([
      { response: { case: 'responsePut', value: { header: { revision: 3n } } } },
      { response: { case: 'responseRange', value: { header: { revision: 3n }, count: 2n } } },
      {
        response: {
          case: 'responseTxn',
          value: {
            header: {},
            succeeded: true,
            responses: [
              {
                response: {
                  case: 'responseDeleteRange',
                  value: { deleted: 1n, prevKvs: [{ modRevision: 2n }] },
                },
              },
            ],
          },
        },
      },
    ])
    expect(await keys(store)).toEqual(['b=2'])
  })

  test('values above 1 KiB live in the log only, and are read all the same', async () => {
    await using store = await openStore(postgres)
    const large = new Uint8Array(5000).fill(7)
    await store.put({ key: bytes('big'), value: large })
    expect((await store.range({ key: bytes('big') })).kvs[0]?.value.length).toBe(5000)
    const { prevKv } = await store.put({ key: bytes('big'), ignoreValue: true, prevKv: true })
    expect(prevKv?.value.length).toBe(5000)
    const [kv] = (await store.range({ ...everything, limit: 1n })).kvs
    expect(kv?.version).toBe(2n)
    expect(kv && Buffer.compare(kv.value, large)).toBe(0)
  })

  test('a page says how many keys there are in all', async () => {
    await using store = await openStore(postgres)
    for (const key of ['a', 'b', 'c', 'd']) await store.put({ key: bytes(key) })
    expect(await store.range({ ...everything, limit: 2n })).toMatchObject({ count: 4n, more: true })
    expect(await store.range({ ...everything, limit: 4n })).toMatchObject({ count: 4n, more: false })
    expect(await store.range({ ...everything, countOnly: true, revision: 3n })).toMatchObject({
      count: 2n,
      kvs: [],
    })
    const last = await store.range({ ...everything, sortTarget: 3, sortOrder: 2, limit: 1n })
    expect(last).toMatchObject({ count: 4n, more: true, kvs: [{ modRevision: 5n }] })
  })

  test('the event log gives whole revisions with the state before them (invariant 7)', async () => {
    await using store = await openStore(postgres)
    await store.put({ key: bytes('a'), value: bytes('1') })
    await store.put({ key: bytes('b'), value: bytes('2') })
    await store.del(everything)
    const page = await store.store.events.read({ after: 2n, prevKv: true })
    expect(page).toMatchObject({ through: 4n, head: { revision: 4n } })
    expect(
      page.events.map((e) => [e.type, text(e.kv.key), e.kv.modRevision, e.prevKv && text(e.prevKv.value)]),
    ).toEqual([
      ['PUT', 'b', 3n, undefined],
      ['DELETE', 'a', 4n, '1'],
      ['DELETE', 'b', 4n, '2'],
    ])
    const one = await store.store.events.read({
      after: 1n,
      prevKv: false,
      range: { key: bytes('b'), rangeEnd: new Uint8Array(0) },
    })
    expect(one.events.map((e) => e.kv.modRevision)).toEqual([3n, 4n])
  })

  test('a page of the log is bounded with the previous values in it, where they are wanted', async () => {
    await using store = await openStore(postgres)
    const key = (i: number) => bytes(`large/${i}`)
    const large = new Uint8Array(1_000_000)
    for (let i = 0; i < 12; i++) await store.put({ key: key(i), value: large })
    for (let i = 0; i < 12; i++) await store.put({ key: key(i), value: bytes('small') })
    const read = { after: 13n, prevKv: true }
    const page = await store.store.events.read(read)
    expect(page.events.map(({ prevKv }) => prevKv?.value.length)).toEqual(Array(4).fill(1_000_000))
    expect(page.through).toBe(17n)
    const next = await store.store.events.read({ ...read, after: page.through })
    expect(next.events[0]?.kv.modRevision).toBe(18n)
    // Those of other keys don't count, nor where nobody wants to see them.
    const range = { key: key(3), rangeEnd: new Uint8Array(0) }
    expect(await store.store.events.read({ ...read, range })).toMatchObject({ through: 25n })
    expect(await store.store.events.read({ ...read, prevKv: false })).toMatchObject({ through: 25n })
  })

  test("a delete's prev_kv is the state before the transaction, not within it (invariant 7)", async () => {
    await using store = await openStore(postgres)
    await store.put({ key: bytes('z'), value: bytes('before') })
    // A delete to the end of the keyspace is the only one that etcd lets follow a put of a key it covers.
    const toTheEnd = { key: bytes('y'), rangeEnd: new Uint8Array([0]) }
    await store.txn({
      success: [
        { request: { case: 'requestPut', value: { key: bytes('z'), value: bytes('within') } } },
        { request: { case: 'requestPut', value: { key: bytes('zz'), value: bytes('within') } } },
        { request: { case: 'requestDeleteRange', value: toTheEnd } },
      ],
    })
    const { events } = await store.store.events.read({ after: 2n, prevKv: true })
    expect(events.map((e) => [e.type, text(e.kv.key), e.prevKv && text(e.prevKv.value)])).toEqual([
      ['PUT', 'z', 'before'],
      ['PUT', 'zz', undefined],
      ['DELETE', 'z', 'before'],
      ['DELETE', 'zz', undefined],
    ])
  })

  test('a lease holds keys, ends with them, and is renewed in between (invariant 9)', async () => {
    await using store = await openStore(postgres)
    const { leases } = store.store
    await leases.grant(7n, 100n)
    await expect(leases.grant(7n, 100n)).rejects.toThrow('lease already exists')
    await store.put({ key: bytes('l/1'), lease: 7n })
    await store.put({ key: bytes('l/2'), lease: 7n })
    const { lease } = await leases.timeToLive(7n, true)
    expect(lease).toMatchObject({ grantedTtl: 100n, ttl: 99n })
    expect(lease?.keys.map(text)).toEqual(['l/1', 'l/2'])
    expect(await leases.keepAlive(7n)).toMatchObject({ ttl: 100n })
    expect(await leases.keepAlive(8n)).toMatchObject({ ttl: 0n })
    await expect(store.put({ key: bytes('x'), lease: 8n })).rejects.toThrow('requested lease not found')
    // Due: the next read ends it, as one revision, and shows the store after that.
    await postgres.query(`update ${store.schema}.head set incarnation = ${store.schema}.incarnation()`)
    await postgres.query(`update ${store.schema}.lease set expires_at = clock_timestamp()`)
    expect(await store.range(everything)).toMatchObject({ head: { revision: 4n }, kvs: [] })
    expect(await leases.leases()).toMatchObject({ ids: [] })
  })

  test('after the database was away, leases start their TTL anew instead of ending (invariant 9)', async () => {
    await using store = await openStore(postgres)
    await store.store.leases.grant(7n, 100n)
    await store.put({ key: bytes('l'), lease: 7n })
    await postgres.query(`update ${store.schema}.head set incarnation = 'another run'`)
    await postgres.query(`update ${store.schema}.lease set expires_at = clock_timestamp()`)
    expect(await store.range(everything)).toMatchObject({ head: { revision: 2n }, count: 1n })
    expect(await store.store.leases.timeToLive(7n, false)).toMatchObject({ lease: { ttl: 99n } })
  })
})
