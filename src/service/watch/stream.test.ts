import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import {
  WatchCreateRequest_FilterType as FilterType,
  type WatchCreateRequestSchema,
  type WatchRequest,
  WatchRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { WatchAnswer } from './answers.ts'
import { createWatch } from './index.ts'
import { bytes, ManualClock, MemoryLog, settled, testEnvironment } from './testing.ts'

const IDENTITY = { clusterId: 7n, memberId: 8n, raftTerm: 2n }

function setUp({ sharedTail = true, streamMaxMs }: { sharedTail?: boolean; streamMaxMs?: number } = {}) {
  const log = new MemoryLog()
  const clock = new ManualClock()
  const environment = testEnvironment(clock)
  const service = createWatch({
    events: log,
    identity: () => Promise.resolve(IDENTITY),
    environment,
    sharedTail,
    pollIntervalMs: { min: 20, max: 100 },
    ...(streamMaxMs === undefined ? {} : { streamMaxMs }),
  })
  return { log, clock, environment, service, open: () => new Client(service) }
}

/** The client's side of one stream. It reads only when told to. */
class Client {
  private readonly leaving = new AbortController()
  private readonly unread: WatchRequest[] = []
  private readonly answers: AsyncIterator<WatchAnswer>
  private more: (() => void) | undefined
  private finished = false
  private broken = false

  constructor(service: ReturnType<typeof createWatch>) {
    const call = { signal: this.leaving.signal }
    this.answers = service.watch(this.requests(), call)[Symbol.asyncIterator]()
  }

  create(request: MessageInitShape<typeof WatchCreateRequestSchema> & { key: Uint8Array }): this {
    return this.send({ requestUnion: { case: 'createRequest', value: request } })
  }

  cancel(watchId: bigint): this {
    return this.send({ requestUnion: { case: 'cancelRequest', value: { watchId } } })
  }

  progress(): this {
    return this.send({ requestUnion: { case: 'progressRequest', value: {} } })
  }

  send(request: MessageInitShape<typeof WatchRequestSchema>): this {
    this.unread.push(create(WatchRequestSchema, request))
    this.more?.()
    return this
  }

  /** Ends the requests; broken: by an error, as a malformed body does. */
  finish({ broken = false } = {}): void {
    this.finished = true
    this.broken = broken
    this.more?.()
  }

  leave(): void {
    this.leaving.abort()
  }

  async read(): Promise<WatchAnswer> {
    const { done, value } = await this.answers.next()
    if (done === true) throw new Error('the stream ended')
    return value
  }

  /** Resolves when the stream ended, with everything that came before. */
  async rest(): Promise<WatchAnswer[]> {
    const all: WatchAnswer[] = []
    for (;;) {
      const { done, value } = await this.answers.next()
      if (done === true) return all
      all.push(value)
    }
  }

  private async *requests(): AsyncGenerator<WatchRequest> {
    for (;;) {
      const next = this.unread.shift()
      if (next !== undefined) yield next
      else if (this.broken) throw new Error('malformed')
      else if (this.finished) return
      else await new Promise<void>((resolve) => (this.more = resolve))
    }
  }
}

const header = (revision: bigint) => ({ ...IDENTITY, revision })
const short = ({ header: head, watchId, events }: WatchAnswer) => ({
  revision: head?.revision,
  watchId,
  events: (events ?? []).map(
    ({ kv, type }) => `${type === 1 ? '-' : '+'}${text(kv?.key)}@${kv?.modRevision}`,
  ),
})
const text = (raw: Uint8Array | undefined) => new TextDecoder().decode(raw)
const ALL = { key: bytes(''), rangeEnd: bytes('\0') }

describe('a watch stream', () => {
  test('etcd: created alone and first, then one message a revision', async () => {
    const { log, open } = setUp()
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
    const { log, open } = setUp()
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
    const { log, open } = setUp()
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
    const { log, open } = setUp()
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

  test('etcd: a future start is silent until then', async () => {
    const { log, open } = setUp()
    const client = open().create({ key: bytes('a'), startRevision: 4n })
    expect((await client.read()).header?.revision).toBe(1n)
    for (let i = 0; i < 4; i++) log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@4'])
    expect(short(await client.read()).events).toEqual(['+a@5'])
    client.leave()
  })

  test('etcd: filters and previous values', async () => {
    const { log, open } = setUp()
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
    const { open } = setUp()
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
    const { open } = setUp()
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
    const { log, open } = setUp()
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
      const { log, open } = setUp()
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

  test('a canceled watch says nothing more, not even what was on its way', async () => {
    const { log, open } = setUp()
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('a') })
    await client.read()
    await client.read()
    log.put('a')
    await settled()
    client.cancel(0n)
    await settled()
    log.put('a')
    const answers = [await client.read(), await client.read(), await client.read()]
    expect(answers.map(short)).toEqual([
      { revision: 2n, watchId: 1n, events: ['+a@2'] },
      { revision: 2n, watchId: 0n, events: [] },
      { revision: 3n, watchId: 1n, events: ['+a@3'] },
    ])
    client.leave()
  })

  test('a client that goes away frees everything at once', async () => {
    for (const sharedTail of [true, false]) {
      const { log, clock, service, open } = setUp({ sharedTail })
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
      expect(log.listenerCount).toBe(0)
    }
  })

  test('one that goes away while its create is read frees that too', async () => {
    const { log, clock, service, open } = setUp()
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
    const { service, open, log, clock } = setUp()
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
    const { clock, open } = setUp({ streamMaxMs: 5_000 })
    const client = open().create({ key: bytes('a') })
    await client.read()
    const end = client.rest()
    await clock.pass(5_000)
    expect(await end).toEqual([])
  })

  test('each stream has its own tail when none is shared, for its keys only', async () => {
    const { log, open } = setUp({ sharedTail: false })
    const client = open().create({ key: bytes('a') })
    await client.read()
    log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@2'])
    expect(log.queries.at(-1)?.range?.key).toEqual(bytes('a'))
    client.leave()
  })
})

describe('progress', () => {
  test('a request is answered for the whole stream, with what other servers wrote meanwhile', async () => {
    const { log, open } = setUp()
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('b') })
    await client.read()
    await client.read()
    log.write([{ put: 'a' }, { put: 'x' }], { quietly: true })
    log.write([{ put: 'x' }], { quietly: true })
    client.progress()
    expect(short(await client.read())).toEqual({ revision: 2n, watchId: 0n, events: ['+a@2'] })
    expect(await client.read()).toEqual({ header: header(3n), watchId: -1n })
    client.leave()
  })

  test('etcd: there is no answer without a watch, or with one in the future', async () => {
    const { log, open } = setUp()
    const client = open()
      .progress()
      .create({ key: bytes('a'), startRevision: 3n })
      .progress()
    expect((await client.read()).created).toBe(true)
    await settled()
    log.put('x')
    log.put('x')
    client.progress()
    expect(await client.read()).toEqual({ header: header(3n), watchId: -1n })
    client.leave()
  })

  test('progress_notify: every ten minutes and up to a tenth, but not after events', async () => {
    const { log, clock, open } = setUp()
    const client = open()
      .create({ key: bytes('a'), progressNotify: true })
      .create({ key: bytes('b') })
      .create({ key: bytes('c'), progressNotify: true })
    for (let i = 0; i < 3; i++) await client.read()
    const intervalMs = 1.05 * LIMITS.watchProgressIntervalMs
    log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@2'])
    const seen: WatchAnswer[] = []
    const reading = (async () => {
      for (;;) seen.push(await client.read())
    })().catch(() => {})
    await clock.pass(intervalMs - 1_000)
    expect(seen).toEqual([])
    await clock.pass(2_000)
    expect(seen).toEqual([{ header: header(2n), watchId: 2n }])
    await clock.pass(intervalMs)
    expect(seen.slice(1)).toEqual([
      { header: header(2n), watchId: 0n },
      { header: header(2n), watchId: 2n },
    ])
    client.leave()
    await reading
  })
})

describe('slow readers', () => {
  const BIG = new Uint8Array(1_000_000)

  test('hold a bounded amount, then read the log by position; nothing is lost or doubled', async () => {
    const { log, service, open } = setUp()
    log.revisionsPerRead = 2n
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('b') })
    await client.read()
    await client.read()
    await settled()
    for (let i = 0; i < 30; i++) {
      log.write([{ put: 'a', value: BIG }, { put: 'b' }])
      await settled()
    }
    expect(service.metrics.slowWatchers).toBeGreaterThan(0)
    client.progress()
    const seen: Record<string, bigint[]> = { '0': [], '1': [] }
    while ((seen[0]?.length ?? 0) < 30 || (seen[1]?.length ?? 0) < 30) {
      const answer = await client.read()
      const revisions = (answer.events ?? []).map(({ kv }) => kv?.modRevision ?? 0n)
      if (revisions.length > 0) expect(answer.header?.revision).toBe(revisions.at(-1))
      else expect(answer).toEqual({ header: header(31n), watchId: -1n })
      seen[String(answer.watchId)]?.push(...revisions)
    }
    const all = Array.from({ length: 30 }, (_, i) => BigInt(i + 2))
    expect(seen).toEqual({ '0': all, '1': all })
    log.put('a')
    expect(short(await client.read())).toEqual({ revision: 32n, watchId: 0n, events: ['+a@32'] })
    expect(service.metrics.slowWatchers).toBe(0)
    client.leave()
  })

  test('a stuck one costs no reads of its own after its page', async () => {
    const { log, clock, open } = setUp()
    const client = open().create({ key: bytes('a') })
    await client.read()
    for (let i = 0; i < 30; i++) {
      log.write([{ put: 'a', value: BIG }])
      await settled()
    }
    await clock.pass(1_000)
    const own = log.queries.filter(({ range }) => range !== undefined).length
    await clock.pass(60_000)
    expect(log.queries.filter(({ range }) => range !== undefined).length).toBe(own)
    client.leave()
  })

  test('one that sends requests and reads nothing is not read from', async () => {
    const { log, open } = setUp()
    const client = open().create({ key: bytes('a') })
    await client.read()
    const { reads } = log
    for (let i = 0; i < 200; i++) client.progress()
    await settled()
    expect(log.reads - reads).toBeLessThan(20)
    for (let i = 0; i < 200; i++) expect((await client.read()).watchId).toBe(-1n)
    client.leave()
  })

  test('fragments, only for those who asked', async () => {
    const { log, open } = setUp()
    const client = open()
      .create({ ...ALL, fragment: true })
      .create(ALL)
    await client.read()
    await client.read()
    log.write([1, 2, 3, 4].map((i) => ({ put: `k${i}`, value: BIG })))
    const answers = [await client.read(), await client.read(), await client.read()]
    expect(answers.map(({ watchId, fragment, events }) => [watchId, fragment, events?.length])).toEqual([
      [0n, true, 2],
      [0n, false, 2],
      [1n, false, 4],
    ])
    client.leave()
  })
})

describe('the database away', () => {
  test('watches wait, and go on where they were', async () => {
    const { log, clock, open } = setUp()
    log.put('a')
    const live = open().create({ key: bytes('a') })
    const past = open().create({ key: bytes('a'), startRevision: 2n })
    log.revisionsPerRead = 1n
    await live.read()
    await past.read()
    expect(short(await past.read()).events).toEqual(['+a@2'])
    log.isAway = true
    for (let i = 0; i < 3; i++) log.write([{ put: 'a' }], { quietly: true })
    await clock.pass(120_000)
    log.isAway = false
    await clock.pass(5_000)
    for (const client of [live, past]) {
      const seen: string[] = []
      while (seen.length < 3) seen.push(...short(await client.read()).events)
      expect(seen).toEqual(['+a@3', '+a@4', '+a@5'])
      client.leave()
    }
  })

  test('a new stream fails in time with the error of the store, so that its client can go elsewhere', async () => {
    for (const startRevision of [0n, 1n]) {
      const { log, clock, service, open } = setUp()
      log.isAway = true
      const client = open().create({ key: bytes('a'), startRevision })
      const outcome = expect(client.read()).rejects.toThrow('etcdserver: no leader')
      await clock.pass(LIMITS.requestTimeoutMs + 5_000)
      await outcome
      expect(service.metrics.streams).toBe(0)
    }
  })

  test('a further watch of a stream waits instead', async () => {
    const { log, clock, open } = setUp()
    const client = open().create({ key: bytes('a') })
    await client.read()
    log.isAway = true
    client.create({ key: bytes('b') })
    await clock.pass(60_000)
    log.isAway = false
    await clock.pass(5_000)
    expect(await client.read()).toEqual({ header: header(1n), watchId: 1n, created: true })
    client.leave()
  })
})
