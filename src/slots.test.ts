import { describe, expect, it } from 'vitest'
import { Slots } from './slots.ts'

const tooLate = () => new Error('too late')

/** One slot, which is taken until `leave` is called. */
function setUp() {
  const slots = new Slots(1)
  let leave = () => {}
  const held = new Promise<void>((resolve) => {
    leave = resolve
  })
  void slots.run(undefined, () => held)
  return { slots, leave }
}

describe('who waits for a slot no longer than is said', () => {
  it('fails in its own words, and takes nobody the turn', async () => {
    const { slots, leave } = setUp()
    let hasRun = false
    const work = async () => {
      hasRun = true
    }
    await expect(slots.runWithin(1, undefined, work, tooLate)).rejects.toThrow('too late')
    leave()
    expect(await slots.run(undefined, async () => 'the next')).toBe('the next')
    expect(hasRun).toBe(false)
  })

  it('runs when one is free in time, or at once', async () => {
    const { slots, leave } = setUp()
    const waiting = slots.runWithin(60_000, undefined, async () => 'in time', tooLate)
    leave()
    expect(await waiting).toBe('in time')
    expect(await slots.runWithin(0, undefined, async () => 'at once', tooLate)).toBe('at once')
  })

  it('is told of its own leaving as such, and of what its work says', async () => {
    const { slots, leave } = setUp()
    const leaving = new AbortController()
    const waiting = slots.runWithin(60_000, leaving.signal, async () => {}, tooLate)
    leaving.abort()
    await expect(waiting).rejects.toThrow('context canceled')
    leave()
    const failing = () => Promise.reject(new Error('of the work'))
    await expect(slots.runWithin(60_000, undefined, failing, tooLate)).rejects.toThrow('of the work')
  })
})
