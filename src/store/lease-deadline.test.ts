import { describe, expect, it } from 'vitest'
import { ManualClock, settled, testEnvironment } from '../service/watch/testing/environment.ts'
import { LeaseDeadline } from './lease-deadline.ts'

const HOUR_MS = 3_600_000

function setUp(enabled = true) {
  const clock = new ManualClock()
  const start = clock.now()
  /** The moments of the looks, from the start. */
  const looks: number[] = []
  const state: { answer: () => Promise<void> } = { answer: async () => {} }
  const deadline = new LeaseDeadline(testEnvironment(clock), enabled, () => {
    looks.push(clock.now() - start)
    return state.answer()
  })
  return { clock, looks, deadline, state }
}

describe('the look at the next deadline of a lease (invariant 9)', () => {
  it('comes just after the deadline, once', async () => {
    const { clock, looks, deadline } = setUp()
    deadline.observe(5000n)
    await clock.pass(5000)
    expect(looks).toEqual([])
    await clock.pass(HOUR_MS)
    expect(looks).toEqual([5001])
  })

  it.each([[0n], [-7_000n]])('comes at once when a lease is overdue (%s)', async (dueMs) => {
    const { clock, looks, deadline } = setUp()
    deadline.observe(dueMs)
    await clock.pass(1)
    expect(looks).toHaveLength(1)
  })

  it('comes at the earliest of the deadlines that it was told of, whatever their order', async () => {
    const { clock, looks, deadline } = setUp()
    deadline.observe(9000n)
    deadline.observe(3000n)
    deadline.observe(6000n)
    deadline.observe(null)
    await clock.pass(HOUR_MS)
    expect(looks).toEqual([3001])
    expect(clock.sleeping).toBe(0)
  })

  it('is armed anew by what the look itself finds', async () => {
    const { clock, looks, deadline, state } = setUp()
    state.answer = async () => {
      if (looks.length < 3) deadline.observe(2000n)
    }
    deadline.observe(1000n)
    await clock.pass(HOUR_MS)
    expect(looks).toEqual([1001, 3002, 5003])
  })

  it('is repeated a second later when it failed, until it succeeds', async () => {
    const { clock, looks, deadline, state } = setUp()
    state.answer = async () => {
      if (looks.length < 4) throw new Error('the database is away')
    }
    deadline.observe(1000n)
    await clock.pass(HOUR_MS)
    expect(looks).toEqual([1001, 2002, 3003, 4004])
  })

  it('comes after an hour when the deadline is further away than a timer can count', async () => {
    const { clock, looks, deadline } = setUp()
    deadline.observe(9_000_000_000_000n)
    await clock.pass(HOUR_MS - 1)
    expect(looks).toEqual([])
    await clock.pass(1)
    expect(looks).toEqual([HOUR_MS])
  })

  it('never comes without leases', async () => {
    const { clock, looks, deadline } = setUp()
    deadline.observe(null)
    await clock.pass(HOUR_MS)
    expect(looks).toEqual([])
  })

  it('never comes in a process that serves one request only', async () => {
    const { clock, looks, deadline } = setUp(false)
    deadline.observe(0n)
    await clock.pass(HOUR_MS)
    expect(looks).toEqual([])
    expect(clock.sleeping).toBe(0)
  })
})

describe('closing', () => {
  it('takes the timer away and sets none again', async () => {
    const { clock, looks, deadline } = setUp()
    deadline.observe(1000n)
    deadline.close()
    deadline.observe(1000n)
    await clock.pass(HOUR_MS)
    expect(looks).toEqual([])
    expect(clock.sleeping).toBe(0)
  })

  it('lets a look under way that fails be the last', async () => {
    const { clock, looks, deadline, state } = setUp()
    let fail = (_: Error) => {}
    state.answer = () =>
      new Promise((_, reject) => {
        fail = reject
      })
    deadline.observe(0n)
    await clock.pass(1)
    deadline.close()
    fail(new Error('the database is away'))
    await settled()
    await clock.pass(HOUR_MS)
    expect(looks).toHaveLength(1)
  })
})
