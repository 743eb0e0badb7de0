import type { Random } from '../../environment.ts'

/** How often the log is read when nothing says that there is something to read. In milliseconds. */
export interface PollInterval {
  /** Soon after events. */
  readonly min: number
  /** A few reads later. */
  readonly max: number
  /** After some more without events; `max` unless it is said. */
  readonly idle?: number
}

/** A watch looks again this soon after events; then less and less often. */
const POLL_INTERVAL_MIN_MS = 50

/** Where each waits for itself, who waits long reads so many times more rarely than configured. */
const IDLE_FACTOR = 4

/** From soon after events to the configured interval, in milliseconds: one reader for all who wait. */
export function pollIntervalUpTo(max: number): PollInterval {
  return { min: Math.min(POLL_INTERVAL_MIN_MS, max), max }
}

/**
 * The same for one reader of many, each for one who waits. What comes first is still told as soon; but a long poll of half a
 * minute is 26 reads or so instead of 62, and a Worker may ask a database 50 times for a request.
 */
export function pollIntervalAlone(max: number): PollInterval {
  return { ...pollIntervalUpTo(max), idle: IDLE_FACTOR * max }
}

/** How the interval rises from read to read: to `max` soon, and on to `idle` slowly. */
const RISE = 2
const IDLE_RISE = 1.1

const RETRY_MIN_MS = 100
const RETRY_MAX_MS = 2_000

/** The time between reads: short after events, then rising, so that an idle watch costs little. With jitter. */
export class PollPace {
  private readonly interval: PollInterval
  private readonly random: Random
  private nextMs: number

  constructor(interval: PollInterval, random: Random) {
    this.interval = interval
    this.random = random
    this.nextMs = interval.min
  }

  /** There were events, so more are likely. */
  quicken(): void {
    this.nextMs = this.interval.min
  }

  /** How long to wait before the next read, in milliseconds. */
  next(): number {
    const pauseMs = this.nextMs
    const { max, idle = max } = this.interval
    this.nextMs = pauseMs < max ? Math.min(max, pauseMs * RISE) : Math.min(idle, pauseMs * IDLE_RISE)
    return pauseMs * (0.9 + 0.1 * this.random.fraction())
  }
}

/**
 * How long to wait after so many failures in a row (from 1 on), in milliseconds: doubling up to two seconds, half of
 * it random, so that many servers don't come back to a database at once.
 */
export function retryDelayMs(failures: number, random: Random): number {
  const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures - 1, 10))
  return ceiling * (0.5 + 0.5 * random.fraction())
}
