import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import type { Slots } from '../../slots.ts'
import type { EventLog, EventPage, EventQuery } from '../../store/event-log.ts'
import { boundedRead } from './bounded-read.ts'
import { retryDelayMs } from './pace.ts'
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

  constructor(events: EventLog, environment: Environment, slots: Slots, tail: Tail) {
    this.events = events
    this.environment = environment
    this.slots = slots
    this.tail = tail
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
}
