import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Slots } from '../../slots.ts'
import type { EventLog, EventPage, EventQuery } from '../../store/event-log.ts'
import { boundedRead } from './bounded-read.ts'
import type { KeyRange } from './key-range.ts'
import { retryDelayMs } from './pace.ts'
import type { RecentLog } from './recent-log.ts'
import type { Tail } from './tail.ts'

/**
 * Reads the past for one stream, a few streams of a process at a time. A failed read is repeated once the tail can read
 * again, so that only the tail keeps knocking while the database is away.
 */
export class LogReader {
  private readonly events: EventLog
  private readonly environment: Environment
  private readonly slots: Slots
  private readonly tail: Tail
  private readonly recent: RecentLog | undefined

  /** `recent` is what the tail keeps of all that it reads, if it reads all. */
  constructor(events: EventLog, environment: Environment, slots: Slots, tail: Tail, recent?: RecentLog) {
    this.events = events
    this.environment = environment
    this.slots = slots
    this.tail = tail
    this.recent = recent
  }

  /**
   * The page of the log that `query` asks for. Waits while the log can't be read, but fails with the error of an
   * attempt that ends after `giveUpAtMs` (on the clock), and with `Canceled` when the signal aborts.
   */
  async read(
    query: EventQuery,
    signal: AbortSignal,
    giveUpAtMs = Number.POSITIVE_INFINITY,
  ): Promise<EventPage> {
    const { clock, random, log } = this.environment
    for (let failures = 1; ; failures++) {
      try {
        return await this.slots.run(signal, () => boundedRead(this.events, query, clock, signal))
      } catch (error) {
        if (signal.aborted) throw EtcdError.of('Canceled', error)
        if (clock.now() >= giveUpAtMs) throw error
        log('debug', 'the history of a watch cannot be read; it waits', { error, failures })
      }
      await clock.sleep(retryDelayMs(failures, random), signal)
      await this.tail.refresh(signal, giveUpAtMs)
    }
  }

  /** The same for a watch that is to come level with the tail: what the tail saw a moment ago isn't read again. */
  async readOn(query: EventQuery & { readonly range: KeyRange }, signal: AbortSignal): Promise<EventPage> {
    return this.seen(query) ?? (await this.read(query, signal))
  }

  private seen({ after, range, prevKv }: EventQuery & { readonly range: KeyRange }): EventPage | undefined {
    const through = this.recent?.through
    // It has to lead on: a watch that is as far as the tail asks the log, for the tail may be at its next page.
    if (through === undefined || through <= after) return undefined
    // Looking through very many events takes longer than a read.
    if (through - after > LIMITS.watchRevisionsPerRead) return undefined
    return this.recent?.page(after, range, prevKv)
  }
}
