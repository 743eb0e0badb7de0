import { describe, expect, test } from 'vitest'
import { WatchCreateRequest_FilterType as FilterType } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { ALL, header, openService, short, text } from './testing/client.ts'
import { settled } from './testing/environment.ts'
import { bytes } from './testing/memory-log.ts'

describe('a watch stream', () => {
  test('etcd: created alone and first, then one message a revision', async () => {
    const { log, open } = openService()
    log.put('a')
    const client = open().create({ key: bytes('a') })
    expect(await client.read()).toEqual({ header: header(2n), watchId: 0n, created: true })
    log.put('b')
    log.put('a')
    log.put('a')
    log.delete('a')
    expect(short(await client.read())).toEqual({ revision: 4n, watchId: 0n, events: ['+a@4'] })
    expect(short(await client.read())).toEqual({ revision: 5n, watchId: 0n, events: ['+a@5'] })
    expect(await client.read()).toEqual({
      header: header(6n),
      watchId: 0n,
      fragment: false,
      events: [{ type: 1, kv: expect.objectContaining({ key: bytes('a'), modRevision: 6n, version: 0n }) }],
    })
    client.leave()
  })

  test('what another server wrote before the watch is not new to it', async () => {
    const { log, open } = openService()
    const first = open().create({ key: bytes('a') })
    await first.read()
    log.write([{ put: 'a' }], { quietly: true })
    const second = open().create({ key: bytes('a') })
    expect((await second.read()).header?.revision).toBe(2n)
    log.put('a')
    expect(short(await second.read()).events).toEqual(['+a@3'])
    first.leave()
    second.leave()
  })

  test('the past in order, revisions whole, then what is new', async () => {
    const { log, open } = openService()
    log.write([{ put: 'a' }, { put: 'b' }])
    log.write([{ delete: 'a' }, { put: 'c' }])
    const client = open().create({ ...ALL, startRevision: 2n })
    expect(await client.read()).toEqual({ header: header(3n), watchId: 0n, created: true })
    expect(short(await client.read())).toEqual({
      revision: 3n,
      watchId: 0n,
      events: ['+a@2', '+b@2', '-a@3', '+c@3'],
    })
    log.put('d')
    expect(short(await client.read()).events).toEqual(['+d@4'])
    client.leave()
  })

  test('a long past comes in pages, each complete through its revision', async () => {
    const { log, open } = openService()
    log.revisionsPerRead = 3n
    for (let i = 0; i < 10; i++) log.put('a')
    const client = open().create({ key: bytes('a'), startRevision: 1n })
    expect((await client.read()).header?.revision).toBe(11n)
    const pages = []
    for (let i = 0; i < 4; i++) pages.push(short(await client.read()))
    expect(pages.map(({ revision }) => revision)).toEqual([3n, 6n, 9n, 11n])
    expect(pages.flatMap(({ events }) => events).length).toBe(10)
    client.leave()
  })

  test('one message of what is larger than a message may be, or fragments for a watch that takes them', async () => {
    const { log, open } = openService({ fragmentBytesMax: 1_000 })
    log.write(['a', 'b', 'c'].map((key) => ({ put: key, value: new Uint8Array(400) })))
    const events = async (fragment: boolean) => {
      const client = open().create({ ...ALL, startRevision: 2n, fragment })
      await client.read()
      const messages = []
      for (let seen = 0; seen < 3; seen += messages.at(-1)?.length ?? 0) {
        messages.push(short(await client.read()).events ?? [])
      }
      client.leave()
      return messages
    }
    expect(await events(false)).toEqual([['+a@2', '+b@2', '+c@2']])
    expect(await events(true)).toEqual([['+a@2', '+b@2'], ['+c@2']])
  })

  test('etcd: a future start is silent until then', async () => {
    const { log, open } = openService()
    const client = open().create({ key: bytes('a'), startRevision: 4n })
    expect((await client.read()).header?.revision).toBe(1n)
    for (let i = 0; i < 4; i++) log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@4'])
    expect(short(await client.read()).events).toEqual(['+a@5'])
    client.leave()
  })

  test('etcd: filters and previous values', async () => {
    const { log, open } = openService()
    log.put('a', 'old')
    const client = open()
      .create({ key: bytes('a'), filters: [FilterType.NOPUT] })
      .create({ key: bytes('a'), filters: [FilterType.NODELETE, 9 as FilterType], prevKv: true })
    await client.read()
    await client.read()
    log.put('a', 'new')
    const put = await client.read()
    expect(put.watchId).toBe(1n)
    expect(text(put.events?.[0]?.prevKv?.value)).toBe('old')
    log.delete('a')
    const deletion = await client.read()
    expect(short(deletion)).toEqual({ revision: 4n, watchId: 0n, events: ['-a@4'] })
    expect(deletion.events?.[0]).not.toHaveProperty('prevKv')
    client.leave()
  })

  test('etcd: ids are chosen, asked for, skipped, refused and free again', async () => {
    const { open } = openService()
    const client = open()
    const created = async (watchId?: bigint) => {
      client.create({ key: bytes('a'), ...(watchId === undefined ? {} : { watchId }) })
      return client.read()
    }
    expect((await created(1n)).watchId).toBe(1n)
    expect((await created()).watchId).toBe(0n)
    expect((await created()).watchId).toBe(2n)
    expect(await created(1n)).toEqual({
      header: header(1n),
      watchId: -1n,
      created: true,
      canceled: true,
      cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
    })
    client.cancel(9n).cancel(1n)
    expect(await client.read()).toEqual({ header: header(1n), watchId: 1n, canceled: true })
    expect(await created(1n)).toEqual({ header: header(1n), watchId: 1n, created: true })
    client.leave()
  })

  test('etcd: an empty range and a negative start are refused, and the stream goes on', async () => {
    const { open } = openService()
    const client = open()
      .create({ key: bytes('b'), rangeEnd: bytes('a') })
      .create({ key: bytes('a'), startRevision: -1n })
      .create({ key: bytes('a') })
    expect((await client.read()).cancelReason).toBe('mvcc: watcher range is empty')
    expect((await client.read()).cancelReason).toBe('etcdserver: mvcc: required revision has been compacted')
    expect(await client.read()).toEqual({ header: header(1n), watchId: 0n, created: true })
    client.leave()
  })

  test('etcd: a compacted start is created, then canceled without a revision; at the compaction it works', async () => {
    const { log, open } = openService()
    for (let i = 0; i < 3; i++) log.put('a')
    log.compact(3n)
    log.sweep()
    const client = open().create({ key: bytes('a'), startRevision: 2n })
    expect(await client.read()).toEqual({ header: header(4n), watchId: 0n, created: true })
    expect(await client.read()).toEqual({
      header: header(0n),
      watchId: 0n,
      canceled: true,
      compactRevision: 3n,
    })
    client.create({ key: bytes('a'), startRevision: 3n })
    expect(await client.read()).toEqual({ header: header(4n), watchId: 1n, created: true })
    expect(short(await client.read()).events).toEqual(['+a@3', '+a@4'])
    client.leave()
  })

  test('etcd: requests that ask for nothing, their end and their failure leave the watches alone', async () => {
    for (const broken of [false, true]) {
      const { log, open } = openService()
      const client = open()
        .send({})
        .create({ key: bytes('a') })
        .cancel(5n)
      client.finish({ broken })
      expect((await client.read()).created).toBe(true)
      await settled()
      log.put('a')
      expect(short(await client.read()).events).toEqual(['+a@2'])
      client.leave()
    }
  })

  test('a canceled watch says what happened before, and nothing after', async () => {
    const { log, open } = openService()
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('a') })
    await client.read()
    await client.read()
    log.write([{ put: 'a' }], { quietly: true })
    client.cancel(0n)
    await settled()
    log.put('a')
    const answers = []
    for (let i = 0; i < 4; i++) answers.push(short(await client.read()))
    expect(answers).toEqual([
      { revision: 2n, watchId: 0n, events: ['+a@2'] },
      { revision: 2n, watchId: 1n, events: ['+a@2'] },
      { revision: 2n, watchId: 0n, events: [] },
      { revision: 3n, watchId: 1n, events: ['+a@3'] },
    ])
    client.leave()
  })

  test('a client that goes away frees everything at once', async () => {
    for (const sharedTail of [true, false]) {
      const { log, clock, service, open } = openService({ sharedTail })
      const client = open()
      for (let i = 0; i < 20; i++) client.create({ key: bytes('a'), progressNotify: true })
      for (let i = 0; i < 20; i++) await client.read()
      const pending = client.rest()
      expect(service.metrics).toMatchObject({ streams: 1, watchers: 20, slowWatchers: 0 })
      client.leave()
      expect(service.metrics).toMatchObject({ streams: 0, watchers: 0 })
      expect(await pending).toEqual([])
      await settled()
      expect(clock.sleeping).toBe(0)
      service.close()
      expect(log.listenerCount).toBe(0)
    }
  })

  test('one that goes away while its create is read frees that too', async () => {
    const { log, clock, service, open } = openService()
    log.latency = () => new Promise(() => {})
    const clients = [
      open().create({ key: bytes('a') }),
      open().create({ key: bytes('a'), startRevision: 1n }),
    ]
    const ends = clients.map((client) => client.rest())
    await settled()
    for (const client of clients) client.leave()
    expect(await Promise.all(ends)).toEqual([[], []])
    expect(service.metrics.streams).toBe(0)
    await clock.pass(60_000)
    expect(clock.sleeping).toBe(0)
  })

  test('close ends all streams cleanly, and those that come later', async () => {
    const { service, open, log, clock } = openService()
    const client = open().create({ key: bytes('a') })
    await client.read()
    const end = client.rest()
    service.close()
    expect(await end).toEqual([])
    expect(
      await open()
        .create({ key: bytes('a') })
        .rest(),
    ).toEqual([])
    const { reads } = log
    await clock.pass(60_000)
    expect(log.reads).toBe(reads)
  })

  test('a stream with a limit of time ends cleanly', async () => {
    const { clock, open } = openService({ streamMaxMs: 5_000 })
    const client = open().create({ key: bytes('a') })
    await client.read()
    const end = client.rest()
    await clock.pass(5_000)
    expect(await end).toEqual([])
  })

  test('each stream has its own tail when none is shared, for its keys only', async () => {
    const { log, open } = openService({ sharedTail: false })
    const client = open().create({ key: bytes('a') })
    await client.read()
    log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@2'])
    expect(log.queries.at(-1)?.range?.key).toEqual(bytes('a'))
    client.leave()
  })
})
