import { describe, expect, test } from 'vitest'
import type { EventPage } from '../../store/event-log.ts'
import type { Hub, TakePage } from './hub.ts'
import { createWatch } from './index.ts'
import { rangeOf } from './key-range.ts'
import { type Subscriber, Tail } from './tail.ts'
import { ManualClock, settled, testEnvironment } from './testing/environment.ts'
import { bytes, MemoryLog } from './testing/memory-log.ts'

const CALLS_MAX = 1_000

/** A hub that can't read the log: it has whoever asks read it, at once. */
class EmptyHub implements Hub {
  calls = 0
  private readonly silence = new Promise<never>(() => {})

  async next(): Promise<EventPage | undefined> {
    return this.asked()
  }

  async follow(): Promise<void> {
    await this.asked()
  }

  private asked(): Promise<undefined> {
    this.calls++
    return this.calls > CALLS_MAX ? this.silence : Promise.resolve(undefined)
  }
}

class Listener implements Subscriber {
  readonly range
  readonly prevKv = false
  readonly startRevision = 0n
  readonly position = 1n
  readonly seen: bigint[] = []

  constructor(key: string) {
    this.range = rangeOf(bytes(key), bytes(''))
  }

  deliver(revision: bigint): void {
    this.seen.push(revision)
  }

  compacted(): void {}
  failed(): void {}
}

function tailOn(hub: Hub) {
  const log = new MemoryLog()
  const clock = new ManualClock()
  const environment = testEnvironment(clock, () => 1)
  const tail = new Tail({ events: log, environment, interval: { min: 20, max: 100 }, filtered: true, hub })
  return { log, clock, tail }
}

describe('a hub that has whoever asks read the log', () => {
  test('is asked by a tail as rarely as the log is read', async () => {
    const hub = new EmptyHub()
    const { log, clock, tail } = tailOn(hub)
    tail.subscribe(new Listener('a'))
    await clock.pass(1_000)
    expect(hub.calls).toBeLessThan(20)
    expect(log.reads).toBeLessThan(20)
    tail.close()
  })

  test('is asked by a long poll as rarely', async () => {
    const hub = new EmptyHub()
    const log = new MemoryLog()
    const clock = new ManualClock()
    const { longPoll } = createWatch({
      events: log,
      access: log.access,
      identity: () => Promise.resolve({ clusterId: 7n, memberId: 8n, raftTerm: 2n }),
      environment: testEnvironment(clock, () => 0),
      sharedTail: false,
      pollIntervalMs: { min: 20, max: 100 },
      hub,
    })
    const { signal } = new AbortController()
    const request = { key: bytes('a'), rangeEnd: bytes(''), startRevision: 1n, prevKv: false, filters: [] }
    const answer = longPoll({ ...request, waitMs: 10_000 }, { signal })
    await clock.pass(2_000)
    expect(hub.calls).toBeLessThan(50)
    expect(log.reads).toBeLessThan(50)
    log.put('a')
    await clock.pass(2_000)
    expect(await answer).toMatchObject({ revision: 2n })
  })
})

test('a page on its way from a hub that is lost changes nothing any more', async () => {
  let taking: TakePage | undefined
  let lose = () => {}
  const { log, clock, tail } = tailOn({
    next: () => Promise.resolve(undefined),
    follow: (_query, take, signal) => {
      taking ??= take
      return new Promise((resolve, reject) => {
        lose = () => reject(new Error('lost'))
        signal.addEventListener('abort', () => resolve())
      })
    },
  })
  tail.subscribe(new Listener('a'))
  await settled()
  log.write([{ put: 'a' }], { quietly: true })
  const page = await log.read({ after: 1n, prevKv: false })
  let goOn = () => {}
  const held = new Promise<void>((resolve) => {
    goOn = resolve
  })
  log.latency = () => held
  lose()
  await clock.pass(100)
  // A read for the first one is under way, which knows nothing of the second.
  const second = new Listener('b')
  tail.subscribe(second)
  const revision = log.put('b')
  await taking?.(page)
  goOn()
  await clock.pass(1_000)
  expect(second.seen).toEqual([revision])
  tail.close()
})
