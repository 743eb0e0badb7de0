import { describe, expect, test } from 'vitest'
import { WatchCreateRequest_FilterType as FilterType } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { LongPollAnswer, LongPollRequest } from '../services.ts'
import { createWatch } from './index.ts'
import { ManualClock, settled, testEnvironment } from './testing/environment.ts'
import { bytes, MemoryLog } from './testing/memory-log.ts'

function setUp({ sharedTail = true } = {}) {
  const log = new MemoryLog()
  const clock = new ManualClock()
  const service = createWatch({
    events: log,
    access: log.access,
    identity: () => Promise.resolve({ clusterId: 7n, memberId: 8n, raftTerm: 2n }),
    environment: testEnvironment(clock, () => 0),
    sharedTail,
    pollIntervalMs: { min: 20, max: 100 },
  })
  const signal = new AbortController().signal
  const poll = (request: Partial<LongPollRequest>, call = { signal }) =>
    service.longPoll(
      {
        key: bytes('a'),
        rangeEnd: bytes(''),
        startRevision: 0n,
        prevKv: false,
        filters: [],
        waitMs: 30_000,
        ...request,
      },
      call,
    )
  return { log, clock, service, poll }
}

const revisions = (answer: LongPollAnswer) =>
  'events' in answer ? answer.events.map(({ kv }) => kv?.modRevision) : undefined

describe('the long poll', () => {
  test('answers at once with what is there, complete through its revision', async () => {
    const { log, poll } = setUp()
    log.put('a')
    log.put('a')
    log.put('b')
    const answer = await poll({ startRevision: 2n })
    expect(answer.revision).toBe(4n)
    expect(revisions(answer)).toEqual([2n, 3n])
  })

  test('waits for the next event, whole revisions only', async () => {
    for (const sharedTail of [true, false]) {
      const { log, clock, service, poll } = setUp({ sharedTail })
      log.put('a')
      for (const startRevision of [0n, 4n]) {
        const answer = poll({ rangeEnd: bytes('z'), startRevision })
        await settled()
        expect(service.metrics.watchers).toBe(1)
        const revision = log.write([{ put: 'a' }, { put: 'b' }])
        expect(revisions(await answer)).toEqual([revision, revision])
        expect((await answer).revision).toBe(revision)
      }
      await clock.pass(1_000)
      expect(service.metrics.watchers).toBe(0)
      expect(clock.sleeping).toBe(0)
    }
  })

  test('an empty answer at the end of the wait is complete through what was read', async () => {
    const { log, clock, poll } = setUp()
    const answer = poll({ waitMs: 2_000 })
    await clock.pass(1_000)
    log.put('b')
    await clock.pass(999)
    let done = false
    void answer.then(() => (done = true))
    await settled()
    expect(done).toBe(false)
    await clock.pass(1)
    expect(await answer).toEqual({ revision: 2n, events: [] })
  })

  test('a future position gets no old event', async () => {
    const { log, clock, poll } = setUp()
    const answer = poll({ startRevision: 4n })
    await settled()
    log.put('a')
    log.put('a')
    await clock.pass(1_000)
    log.put('a')
    expect(revisions(await answer)).toEqual([4n])
    const empty = poll({ startRevision: 100n, waitMs: 500 })
    await clock.pass(500)
    expect(await empty).toEqual({ revision: 4n, events: [] })
  })

  test('filters and previous values', async () => {
    const { log, poll } = setUp()
    log.put('a', 'one')
    log.put('a', 'two')
    log.delete('a')
    const answer = await poll({ startRevision: 2n, filters: [FilterType.NOPUT], prevKv: true })
    expect(revisions(answer)).toEqual([4n])
    expect('events' in answer && answer.events[0]?.prevKv?.value).toEqual(bytes('two'))
  })

  test('a past without a matching event is read to its end, page by page', async () => {
    const { log, poll } = setUp()
    log.revisionsPerRead = 2n
    for (let i = 0; i < 7; i++) log.put('b')
    log.put('a')
    expect(revisions(await poll({ startRevision: 1n }))).toEqual([9n])
  })

  test('compacted positions are refused at once, the compacted revision itself is not', async () => {
    const { log, poll } = setUp()
    for (let i = 0; i < 3; i++) log.put('a')
    log.compact(3n)
    expect(await poll({ startRevision: 2n })).toEqual({ revision: 4n, compactRevision: 3n })
    expect(revisions(await poll({ startRevision: 3n }))).toEqual([3n, 4n])
    await expect(poll({ startRevision: -1n })).rejects.toThrow('required revision has been compacted')
    await expect(poll({ rangeEnd: bytes('A') })).rejects.toThrow('watcher range is empty')
  })

  test('the same position costs one read, and nobody is answered from one that is older than two poll intervals', async () => {
    const { log, clock, poll } = setUp()
    log.put('a')
    await poll({ startRevision: 2n })
    const { reads } = log
    for (let i = 0; i < 10; i++) expect(revisions(await poll({ startRevision: 2n }))).toEqual([2n])
    expect(log.reads).toBe(reads)
    await clock.pass(201)
    expect(revisions(await poll({ startRevision: 2n }))).toEqual([2n])
    expect(log.reads).toBe(reads + 1)
  })

  test('the client going away frees it; close answers what waits', async () => {
    const { clock, service, poll } = setUp()
    const leaving = new AbortController()
    const left = poll({}, { signal: leaving.signal })
    const stays = poll({})
    await settled()
    leaving.abort()
    await expect(left).rejects.toThrow('context canceled')
    expect(service.metrics.watchers).toBe(1)
    service.close()
    expect(await stays).toEqual({ revision: 1n, events: [] })
    await expect(poll({})).rejects.toThrow('etcdserver: server stopped')
    await clock.pass(1_000)
    expect(clock.sleeping).toBe(0)
  })

  test('the database away: it fails within its wait when it never could read, and else is empty', async () => {
    const { log, clock, poll } = setUp()
    const waiting = poll({ waitMs: 10_000 })
    await settled()
    log.isAway = true
    const failing = expect(poll({ waitMs: 10_000, startRevision: 1n })).rejects.toThrow('no leader')
    await clock.pass(13_000)
    await failing
    expect(await waiting).toEqual({ revision: 1n, events: [] })
  })
})
