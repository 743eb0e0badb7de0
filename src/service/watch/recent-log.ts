import type { Clock } from '../../environment.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { EventLog, EventPage, EventQuery, LoggedEvent } from '../../store/event-log.ts'
import type { Head } from '../../store/types.ts'
import { boundedRead } from './bounded-read.ts'
import { type KeyRange, matcherOf } from './key-range.ts'

/** What the tail of a log saw last, without a gap: whoever waits from a position in it needs no read of its own. */
interface Recent {
  /** All events of (start, through] are here. */
  start: bigint
  through: bigint
  /** Those above this revision have the state before them. */
  prevKvFrom: bigint
  head: Head
  events: LoggedEvent[]
  bytes: number
}

/** An event log that keeps the end of what was read of it, for a bounded number of bytes. */
export class RecentLog implements EventLog {
  readonly #events: EventLog
  readonly #clock: Clock
  readonly #bytesMax: number
  #recent: Recent | undefined
  #asOfMs = Number.NEGATIVE_INFINITY

  constructor(events: EventLog, clock: Clock, bytesMax: number = LIMITS.watchRecentBytesMax) {
    this.#events = events
    this.#clock = clock
    this.#bytesMax = bytesMax
  }

  async read(query: EventQuery, signal?: AbortSignal): Promise<EventPage> {
    const page = await this.#timed(() => this.#events.read(query, signal))
    this.#keep(query, page)
    return page
  }

  /** When the last read began that has come back, in milliseconds on the clock: nothing here is known to hold since. */
  get asOfMs(): number {
    return this.#asOfMs
  }

  async #timed(read: () => Promise<EventPage>): Promise<EventPage> {
    const beganAtMs = this.#clock.now()
    const page = await read()
    this.#asOfMs = Math.max(this.#asOfMs, beganAtMs)
    return page
  }

  onWrite(listener: (revision: bigint) => void): () => void {
    return this.#events.onWrite(listener)
  }

  /** The store as the last read that was kept found it. */
  get head(): Head | undefined {
    return this.#recent?.head
  }

  /** All that is kept is complete through this revision; undefined: nothing is kept. */
  get through(): bigint | undefined {
    return this.#recent?.through
  }

  forget(): void {
    this.#recent = undefined
  }

  /** The kept events above a revision in a range; undefined when not all of them are kept. */
  page(after: bigint, range: KeyRange, prevKv: boolean): EventPage | undefined {
    const recent = this.#recent
    if (recent === undefined || after < recent.start || (prevKv && after < recent.prevKvFrom))
      return undefined
    const { head, through, events } = recent
    const matches = matcherOf(range)
    const wanted: LoggedEvent[] = []
    for (let i = events.length - 1; i >= 0; i--) {
      const event = events[i]
      if (event === undefined || event.kv.modRevision <= after) break
      if (matches(event.kv.key)) wanted.push(event)
    }
    return { head, through, intactAfter: recent.start, events: wanted.reverse() }
  }

  /** Whether one page might lead from a revision to what is kept. */
  mayReach(after: bigint): boolean {
    const recent = this.#recent
    if (recent === undefined) return true
    const goal = after < recent.start ? recent.start : recent.through
    return goal - after < LIMITS.watchRevisionsPerRead
  }

  /**
   * Reads what lies between a revision and what is kept, so that whoever comes from there finds it here, too; or the state
   * before each change, where it is kept without. Nothing is gained when that is more than one page, or more than may be
   * kept.
   */
  async reachBack(query: EventQuery, signal: AbortSignal): Promise<void> {
    const page = await this.#timed(() => boundedRead(this.#events, query, this.#clock, signal))
    const recent = this.#recent
    if (recent === undefined) {
      this.#keep(query, page)
    } else if (query.after >= page.intactAfter && page.through >= recent.start && !isRewound(recent, page)) {
      if (query.after < recent.start) this.#prepend(query, page, recent)
      else if (query.after <= recent.through && page.through >= recent.through)
        this.#replace(query, page, recent)
    }
  }

  #prepend(query: EventQuery, page: EventPage, recent: Recent): void {
    const older = page.events.filter(({ kv }) => kv.modRevision <= recent.start)
    const bytes = sizeOf(older)
    if (recent.bytes + bytes > this.#bytesMax) return
    const isWhole = recent.prevKvFrom <= recent.start
    if (isWhole) recent.prevKvFrom = query.prevKv ? query.after : recent.start
    recent.events.unshift(...older)
    recent.bytes += bytes
    recent.start = query.after
  }

  /** From the page's beginning on, it has more than what is kept. */
  #replace(query: EventQuery, page: EventPage, recent: Recent): void {
    const before = recent.events.filter(({ kv }) => kv.modRevision <= query.after)
    recent.events = [...before, ...page.events]
    recent.bytes = sizeOf(recent.events)
    recent.through = page.through
    recent.head = page.head
    recent.prevKvFrom = query.prevKv ? query.after : page.through
    this.#trim(recent)
  }

  #keep(query: EventQuery, page: EventPage): void {
    const from = query.after > page.through ? page.through : query.after
    const recent = this.#recent
    if (recent === undefined || from > recent.through || from < page.intactAfter || isRewound(recent, page)) {
      this.#recent = this.#begin(from, query, page)
    } else if (page.through >= recent.through) {
      const newer = page.events.filter(({ kv }) => kv.modRevision > recent.through)
      if (!query.prevKv && newer.length > 0) recent.prevKvFrom = page.through
      recent.events.push(...newer)
      recent.bytes += sizeOf(newer)
      recent.through = page.through
      recent.head = page.head
    }
    if (this.#recent !== undefined) this.#trim(this.#recent)
  }

  #begin(from: bigint, query: EventQuery, page: EventPage): Recent {
    const start = from < page.intactAfter ? page.through : from
    const events = page.events.filter(({ kv }) => kv.modRevision > start)
    const prevKvFrom = query.prevKv ? start : page.through
    return { start, through: page.through, prevKvFrom, head: page.head, events, bytes: sizeOf(events) }
  }

  /** Lets the oldest go, whole revisions at a time. */
  #trim(recent: Recent): void {
    let count = 0
    while (recent.bytes > this.#bytesMax && count < recent.events.length) {
      const revision = recent.events[count]?.kv.modRevision ?? recent.through
      for (
        let event = recent.events[count];
        event?.kv.modRevision === revision;
        event = recent.events[count]
      ) {
        recent.bytes -= sizeOf([event])
        count++
      }
      recent.start = revision
    }
    if (count > 0) recent.events.splice(0, count)
  }
}

/** The store went back: what was kept isn't its history any more. */
function isRewound(recent: Recent, page: EventPage): boolean {
  return page.head.revision < recent.through
}

/** What an event costs beside its key and values. */
const EVENT_BYTES = 200

function sizeOf(events: readonly LoggedEvent[]): number {
  let bytes = 0
  for (const { kv, prevKv } of events) {
    bytes += EVENT_BYTES + kv.key.length + kv.value.length + (prevKv?.value.length ?? 0)
  }
  return bytes
}
