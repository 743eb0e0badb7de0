import { describe, expect, test } from 'vitest'
import { followLog } from './follower.ts'
import { ManualClock, settled, testEnvironment } from './testing/environment.ts'
import { bytes, MemoryLog } from './testing/memory-log.ts'

const EVERYTHING = { key: bytes('\0'), rangeEnd: bytes('\0') }

function setUp() {
  const log = new MemoryLog()
  const clock = new ManualClock()
  const { hub } = followLog({
    events: log,
    environment: testEnvironment(clock, () => 0),
    interval: { min: 20, max: 100 },
    shared: true,
  })
  const { signal } = new AbortController()
  const next = (after: bigint | undefined, waitMs = 30_000) =>
    hub.next({ after, range: EVERYTHING, prevKv: false, fresh: false }, waitMs, signal)
  const leave = async (after: bigint) => {
    const leaving = new AbortController()
    const page = hub.next({ after, range: EVERYTHING, prevKv: false, fresh: false }, 30_000, leaving.signal)
    leaving.abort()
    await page
  }
  return { log, clock, hub, next, leave }
}

describe('many who come from far back', () => {
  test('take one read at a time of the connection on which others write', async () => {
    const { log, clock, next } = setUp()
    for (let i = 0; i < 900; i++) log.put('a')
    void next(undefined)
    await clock.pass(1_000)
    log.readsAtOnceMax = 0
    log.latency = () => clock.sleep(10)
    const pages = Array.from({ length: 200 }, (_, i) => next(700n - BigInt(i)))
    await clock.pass(10_000)
    await Promise.all(pages)
    // One of the tail's beside it.
    expect(log.readsAtOnceMax).toBeLessThanOrEqual(2)
  })

  test('take one at a time when they leave at once, too', async () => {
    const { log, clock, next, leave } = setUp()
    for (let i = 0; i < 900; i++) log.put('a')
    void next(undefined)
    await clock.pass(1_000)
    log.readsAtOnceMax = 0
    log.latency = () => clock.sleep(10)
    for (let i = 0; i < 50; i++) await leave(700n - BigInt(i))
    await clock.pass(10_000)
    expect(log.readsAtOnceMax).toBeLessThanOrEqual(2)
  })

  test('are told at once to read for themselves when it is more than one page', async () => {
    const { log, clock, next } = setUp()
    for (let i = 0; i < 5_000; i++) log.put('a')
    void next(undefined)
    await clock.pass(1_000)
    log.latency = () => clock.sleep(7_000)
    const reads = log.reads
    expect(await next(1n)).toBeUndefined()
    expect(log.reads).toBe(reads)
  })

  test('share a read where they come from the same revision', async () => {
    const { log, clock, next } = setUp()
    for (let i = 0; i < 900; i++) log.put('a')
    void next(undefined)
    await clock.pass(1_000)
    log.queries = []
    const pages = Array.from({ length: 200 }, () => next(500n))
    await settled()
    for (const page of await Promise.all(pages)) expect(page?.events.length).toBe(401)
    expect(log.queries.filter(({ after }) => after === 500n).length).toBe(1)
  })
})
