import type { EventPage } from '../../store/event-log.ts'
import type { KeyRange } from './key-range.ts'

/** What somebody waits for. */
export interface HubQuery {
  /** Events of revisions above this one; undefined: above the store's revision as of a moment after the call. */
  readonly after: bigint | undefined
  readonly range: KeyRange
  readonly prevKv: boolean
  /** Whether even events that are known already must wait for a read of the log that begins after the call. */
  readonly fresh: boolean
}

/** Where those meet who wait for the same log: however many they are, it is read once for all of them. */
export interface Hub {
  /**
   * Gives the events as soon as there are any, and a page without events at the end of the wait or when the signal
   * aborts; it may end earlier than asked. `head` and `through` may be of a moment before the call, unless it is to be
   * fresh. Undefined when the position lies so far back that the caller has to read the log.
   * @throws EtcdError when the log can't be read in that time
   */
  next(query: HubQuery, waitMs: number, signal: AbortSignal): Promise<EventPage | undefined>

  /**
   * Gives page after page, each beginning where the one before ended, until the signal aborts; also now and then one
   * without events. The next page is read when the last was taken. Ends early when the caller has to read the log itself.
   * @throws EtcdError when the log can't be read
   */
  follow(query: HubQuery, take: TakePage, signal: AbortSignal): Promise<void>
}

export type TakePage = (page: EventPage) => Promise<void>
