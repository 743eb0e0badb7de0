import { describe, expect, it } from 'vitest'
import type { Clock } from '../environment.ts'
import { EtcdError } from '../etcd/errors.ts'
import { Lifetime, readTimeout } from './lifetime.ts'

const EXPIRED = EtcdError.of('DeadlineExceeded')

/** A clock whose sleepers wake when the test says so, or when they are aborted. */
function testClock() {
  const sleepers = new Map<number, () => void>()
  const clock: Clock = {
    now: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const wake = () => {
          sleepers.delete(ms)
          resolve()
        }
        sleepers.set(ms, wake)
        signal?.addEventListener('abort', wake, { once: true })
      }),
  }
  return { clock, sleepers }
}

it.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['5S', 5000],
  ['100m', 100],
  ['100u', 0.1],
  ['1000000n', 1],
  ['-5S', -5000],
  ['0S', undefined],
  ['', undefined],
  ['99999999999999H', 2 ** 31 - 1],
])('reads the timeout %s', (header, ms) => {
  const read = readTimeout(header)
  if (ms === undefined) expect(read).toBeUndefined()
  else expect(read).toBeCloseTo(ms)
})

describe('Lifetime', () => {
  it('ends with its parent, and lets go of it', async () => {
    const parent = new AbortController()
    const lifetime = new Lifetime(parent.signal)
    parent.abort(EXPIRED)
    expect(lifetime.signal.reason).toBe(EXPIRED)
    expect(new Lifetime(parent.signal).signal.aborted).toBe(true)
  })

  it('ends when its time is up, and drops the timer when it ends before', async () => {
    const { clock, sleepers } = testClock()
    const late = new Lifetime(new AbortController().signal)
    late.endAfter(50, clock, EXPIRED)
    sleepers.get(50)?.()
    await expect(late.race(() => new Promise(() => {}))).rejects.toBe(EXPIRED)
    const early = new Lifetime(new AbortController().signal)
    early.endAfter(60, clock, EXPIRED)
    early.end('done')
    expect(sleepers.size).toBe(0)
    expect(early.signal.reason).toBe('done')
  })

  it('has passed at once when less than a millisecond is left', async () => {
    const lifetime = new Lifetime(new AbortController().signal)
    lifetime.endAfter(0.001, testClock().clock, EXPIRED)
    let begun = false
    const work = async () => {
      begun = true
    }
    await expect(lifetime.race(work)).rejects.toBe(EXPIRED)
    expect(begun).toBe(false)
  })

  it('gives what the work gives within it', async () => {
    const lifetime = new Lifetime(new AbortController().signal)
    await expect(lifetime.race(async () => 5)).resolves.toBe(5)
    await expect(lifetime.race(async () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})
