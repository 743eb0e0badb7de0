import { describe, expect, it } from 'vitest'
import { PollPace, pollIntervalAlone, pollIntervalUpTo } from './pace.ts'

const LATEST = { int63: () => 1n, fraction: () => 1 }
const EARLIEST = { int63: () => 1n, fraction: () => 0 }

/** How many reads a wait of so many seconds has, its first included. */
function reads(pace: PollPace, seconds: number): number {
  let count = 1
  for (let atMs = pace.next(); atMs < seconds * 1000; atMs += pace.next()) count++
  return count
}

describe('the pace of reads', () => {
  it('is soon the configured one, and stays so for those who wait together', () => {
    const pace = new PollPace(pollIntervalUpTo(500), LATEST)
    expect(Array.from({ length: 7 }, () => pace.next())).toEqual([50, 100, 200, 400, 500, 500, 500])
    pace.quicken()
    expect(pace.next()).toBe(50)
  })

  it('rises on for one who waits alone, up to four times that', () => {
    const pace = new PollPace(pollIntervalAlone(500), LATEST)
    const pauses = Array.from({ length: 40 }, () => Math.round(pace.next()))
    expect(pauses.slice(0, 8)).toEqual([50, 100, 200, 400, 500, 550, 605, 666])
    expect(pauses.at(-1)).toBe(2000)
    pace.quicken()
    expect(pace.next()).toBe(50)
  })

  it('lets the longest wait do with the 42 reads that a Worker has for it by default', () => {
    expect(reads(new PollPace(pollIntervalAlone(500), EARLIEST), 30)).toBeLessThanOrEqual(29)
    expect(reads(new PollPace(pollIntervalAlone(500), EARLIEST), 55)).toBeLessThanOrEqual(42)
    expect(reads(new PollPace(pollIntervalUpTo(500), EARLIEST), 30)).toBeGreaterThan(60)
  })
})
