import { describe, expect, test } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import type { LoggedEvent } from '../../store/event-log.ts'
import { rangeOf } from './key-range.ts'
import { type Subscriber, Tail } from './tail.ts'
import { ManualClock, settled, testEnvironment } from './testing/environment.ts'
import { bytes, MemoryLog } from './testing/memory-log.ts'

function setUp({ filtered = false } = {}) {
  const log = new MemoryLog()
  const clock = new ManualClock()
  const environment = testEnvironment(clock, () => 1)
  const tail = new Tail({ events: log, environment, interval: { min: 20, max: 100 }, filtered })
  return { log, clock, environment, tail }
}

class Listener implements Subscriber {
  readonly range
  readonly prevKv: boolean
  readonly position: bigint
  readonly startRevision: bigint
  readonly seen: bigint[] = []
  readonly events: LoggedEvent[] = []
  compactRevision: bigint | undefined
  error: EtcdError | undefined

  constructor(key: string, position: bigint, { rangeEnd = '', startRevision = 0n, prevKv = false } = {}) {
    this.range = rangeOf(bytes(key), bytes(rangeEnd))
    this.position = position
    this.startRevision = startRevision
    this.prevKv = prevKv
  }

  deliver(revision: bigint, events: LoggedEvent[]): void {
    this.seen.push(revision)
    this.events.push(...events)
  }

  compacted(compactRevision: bigint): void {
    this.compactRevision = compactRevision
  }

  failed(error: EtcdError): void {
    this.error = error
  }
}

const never = new AbortController().signal

describe('the tail', () => {
  test('nobody waits: nothing is read', async () => {
    const { log, clock, tail } = setUp()
    await clock.pass(60_000)
    expect(log.reads).toBe(0)
    const listener = new Listener('a', 1n)
    tail.subscribe(listener)
    await clock.pass(1_000)
    expect(log.reads).toBeGreaterThan(5)
    expect(log.listenerCount).toBe(1)
    tail.unsubscribe(listener)
    await settled()
    const { reads } = log
    log.put('a')
    await clock.pass(60_000)
    expect(log.reads).toBe(reads)
    tail.close()
    expect(log.listenerCount).toBe(0)
    expect(clock.sleeping).toBe(0)
    expect(tail.position).toBeUndefined()
  })

  test('one read at a time serves any number of subscribers', async () => {
    const { log, clock, tail } = setUp()
    const listeners = Array.from({ length: 500 }, (_, i) => new Listener(`k${i % 250}`, 1n))
    for (const listener of listeners) tail.subscribe(listener)
    await settled()
    const { reads } = log
    log.write(Array.from({ length: 250 }, (_, i) => ({ put: `k${i}` })))
    await settled()
    expect(log.reads).toBe(reads + 1)
    expect(log.readsAtOnceMax).toBe(1)
    expect(listeners.every(({ seen }) => seen.length === 1)).toBe(true)
    tail.close()
    await clock.pass(0)
  })

  test('a write of this process is read at once, one of another server at the next poll', async () => {
    const { log, clock, tail } = setUp()
    const listener = new Listener('a', 1n)
    tail.subscribe(listener)
    await clock.pass(1_000)
    log.put('a')
    await settled()
    expect(listener.seen).toEqual([2n])
    log.write([{ put: 'a' }], { quietly: true })
    await settled()
    expect(listener.seen).toEqual([2n])
    await clock.pass(100)
    expect(listener.seen).toEqual([2n, 3n])
    tail.close()
  })

  test('polls at a rising interval that events make short again', async () => {
    const { log, clock, tail } = setUp()
    tail.subscribe(new Listener('a', 1n))
    const readsIn = async (ms: number) => {
      const before = log.reads
      await clock.pass(ms)
      return log.reads - before
    }
    await settled()
    expect(await readsIn(60)).toBe(2) // at 20 and 60
    expect(await readsIn(180)).toBe(2) // at 140 and 240
    expect(await readsIn(1_000)).toBe(10)
    log.put('a')
    await settled()
    expect(await readsIn(60)).toBe(2)
    tail.close()
  })

  test('a write during a read is read right after it', async () => {
    const { log, tail } = setUp()
    const listener = new Listener('a', 1n)
    let release = () => {}
    log.latency = (when) =>
      when === 'after' ? new Promise((resolve) => (release = resolve)) : Promise.resolve()
    tail.subscribe(listener)
    await settled()
    log.put('a')
    release()
    await settled()
    release()
    await settled()
    expect(listener.seen).toEqual([2n])
    tail.close()
  })

  test('who arrives during a read, or behind the tail, gets what the others had', async () => {
    const { log, tail } = setUp()
    const early = new Listener('a', 1n)
    tail.subscribe(early)
    for (let i = 0; i < 3; i++) log.put('a')
    await settled()
    expect(tail.position).toBe(4n)
    const late = new Listener('a', 2n, { prevKv: true })
    tail.subscribe(late)
    expect(tail.isInStep(late)).toBe(false)
    expect(tail.completeThrough(late)).toBe(2n)
    await settled()
    expect(tail.isInStep(late)).toBe(true)
    expect(late.seen).toEqual([3n, 4n])
    expect(late.events.every(({ prevKv }) => prevKv !== undefined)).toBe(true)
    expect(early.seen).toEqual([2n, 3n, 4n])
    log.put('a')
    await settled()
    expect(late.seen).toEqual([3n, 4n, 5n])
    expect(early.seen).toEqual([2n, 3n, 4n, 5n])
    tail.close()
  })

  test('previous values are read only while somebody wants them', async () => {
    const { log, tail } = setUp()
    const listener = new Listener('a', 1n, { prevKv: true })
    tail.subscribe(listener)
    await settled()
    expect(log.queries.at(-1)?.prevKv).toBe(true)
    tail.subscribe(new Listener('a', 1n))
    tail.unsubscribe(listener)
    log.put('b')
    await settled()
    expect(log.queries.at(-1)?.prevKv).toBe(false)
    tail.close()
  })

  test('a filtered tail asks for the keys that are waited for', async () => {
    const { log, tail } = setUp({ filtered: true })
    tail.subscribe(new Listener('b', 1n))
    await settled()
    expect(log.queries.at(-1)?.range).toEqual(rangeOf(bytes('b'), bytes('')))
    tail.subscribe(new Listener('c', 1n, { rangeEnd: 'd' }))
    log.put('c')
    await settled()
    expect(log.queries.at(-1)?.range).toEqual(rangeOf(bytes('b'), bytes('d')))
    tail.close()
  })

  test('a future start sees nothing earlier', async () => {
    const { log, tail } = setUp()
    const listener = new Listener('a', 1n, { startRevision: 4n })
    tail.subscribe(listener)
    for (let i = 0; i < 4; i++) log.put('a')
    await settled()
    expect(listener.seen).toEqual([4n, 5n])
    tail.close()
  })

  test('a refresh is answered by a read that began after it, and by one read for all', async () => {
    const { log, clock, tail } = setUp()
    let release = () => {}
    log.latency = (when) =>
      when === 'after' ? new Promise((resolve) => (release = resolve)) : Promise.resolve()
    const first = tail.refresh(never)
    await settled()
    log.write([{ put: 'a' }], { quietly: true })
    const rest = [tail.refresh(never), tail.refresh(never), tail.refresh(never)]
    release()
    expect(await first).toBe(1n)
    await settled()
    release()
    expect(await Promise.all(rest)).toEqual([2n, 2n, 2n])
    await clock.pass(60_000)
    expect(log.reads).toBe(2)
    expect(tail.position).toBeUndefined()
  })

  test('a refresh ends with its caller, and when a read fails after its time', async () => {
    const { log, clock, tail } = setUp()
    log.isAway = true
    const caller = new AbortController()
    const left = tail.refresh(caller.signal)
    caller.abort()
    await expect(left).rejects.toThrow('context canceled')
    const late = tail.refresh(never, clock.now() + 7_000)
    const outcome = expect(late).rejects.toThrow('etcdserver: no leader')
    await clock.pass(6_000)
    await clock.pass(4_000)
    await outcome
    await settled()
    expect(clock.sleeping).toBeLessThanOrEqual(1)
  })

  test('the database away: it backs off, says so once, and then goes on where it was', async () => {
    const { log, clock, environment, tail } = setUp()
    const listener = new Listener('a', 1n)
    tail.subscribe(listener)
    await settled()
    log.isAway = true
    log.write([{ put: 'a' }], { quietly: true })
    const { reads } = log
    await clock.pass(60_000)
    expect(log.reads - reads).toBeLessThan(45)
    void tail.refresh(never)
    await settled()
    expect(log.reads - reads).toBeLessThan(45)
    expect(environment.lines.filter(({ level }) => level === 'warn').length).toBe(1)
    log.isAway = false
    await clock.pass(2_000)
    expect(listener.seen).toEqual([2n])
    expect(environment.lines.at(-1)).toEqual({ level: 'info', message: 'the log can be read again' })
    tail.close()
  })

  test('a read that hangs is given up', async () => {
    const { log, clock, tail } = setUp()
    const listener = new Listener('a', 1n)
    let hang = true
    log.latency = () => (hang ? new Promise(() => {}) : Promise.resolve())
    tail.subscribe(listener)
    await settled()
    hang = false
    log.put('a')
    await clock.pass(7_500)
    expect(listener.seen).toEqual([2n])
    tail.close()
  })

  test('a compaction at the head costs a watch nothing while the log is intact', async () => {
    const { log, clock, tail } = setUp()
    const listener = new Listener('a', 1n)
    tail.subscribe(listener)
    await settled()
    for (let i = 0; i < 3; i++) log.write([{ put: 'a' }], { quietly: true })
    log.compact(4n)
    await clock.pass(100)
    expect(listener.seen).toEqual([2n, 3n, 4n])
    expect(listener.compactRevision).toBeUndefined()
    tail.close()
  })

  test('who needs a revision that was removed is told, and the others go on', async () => {
    const { log, clock, tail } = setUp()
    const lost = new Listener('a', 1n)
    const future = new Listener('a', 1n, { startRevision: 4n })
    tail.subscribe(lost)
    tail.subscribe(future)
    await settled()
    for (let i = 0; i < 4; i++) log.write([{ put: 'a' }], { quietly: true })
    log.compact(4n)
    log.sweep()
    await clock.pass(100)
    expect(lost.compactRevision).toBe(4n)
    expect(lost.seen).toEqual([])
    expect(future.compactRevision).toBeUndefined()
    expect(future.seen).toEqual([4n, 5n])
    expect(tail.size).toBe(1)
    tail.close()
  })

  test('a store that went back fails its watches: they could only miss what comes', async () => {
    const { log, clock, tail, environment } = setUp()
    const listener = new Listener('a', 1n)
    tail.subscribe(listener)
    for (let i = 0; i < 3; i++) log.put('a')
    await settled()
    log.revision = 2n
    await clock.pass(100)
    expect(listener.error).toBeInstanceOf(EtcdError)
    expect(environment.lines.some(({ level }) => level === 'error')).toBe(true)
    expect(tail.size).toBe(0)
  })
})
