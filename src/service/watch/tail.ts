import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import type { EventLog, EventPage, EventQuery, LoggedEvent } from '../../store/event-log.ts'
import { boundedRead } from './bounded-read.ts'
import type { Hub } from './hub.ts'
import { hullOf, type KeyRange, rangeOfPrefix } from './key-range.ts'
import { type PollInterval, PollPace, retryDelayMs } from './pace.ts'
import { RangeIndex } from './range-index.ts'
import { Refreshers } from './refreshers.ts'
import { byRevision, max } from './revisions.ts'

/** Who waits for events at the tail of the log. */
export interface Subscriber {
  readonly range: KeyRange
  readonly prevKv: boolean
  /** No event below this revision is wanted; 0n: any. */
  readonly startRevision: bigint
  /** Complete through this revision already. Doesn't change while subscribed: see `Tail.completeThrough`. */
  readonly position: bigint
  /** All events of one revision in the range, in their order. */
  deliver(revision: bigint, events: LoggedEvent[]): void
  /** Revisions that it still needed are compacted. It is unsubscribed. */
  compacted(compactRevision: bigint): void
  /** The log can't be followed any more. It is unsubscribed. */
  failed(error: EtcdError): void
}

export interface TailOptions {
  readonly events: EventLog
  readonly environment: Environment
  readonly interval: PollInterval
  /** Whether to ask the log only for the keys that somebody waits for: right for few subscribers, not for many. */
  readonly filtered: boolean
  /** Who tells when there is something to read, with what there is; without one the tail looks from time to time. */
  readonly hub?: Hub
}

/** Above every revision: asks for the head alone. */
const PAST_THE_END = 2n ** 63n - 1n

/**
 * The one reader at the end of the log for any number of subscribers (invariant 7). It reads while somebody waits and
 * only then: at once when this process wrote or when a fresh position is asked for, else from time to time, since other
 * servers write too.
 *
 * `position` is where the tail has come to. A subscriber that is behind it (events came while it read the last of its
 * past) is joining: the next read begins where it stands, and delivers what lies below `position` to it alone. So
 * whoever was level with the head a moment ago can always join, however fast the log grows.
 */
export class Tail {
  private readonly options: TailOptions
  private readonly pace: PollPace
  private readonly closing = new AbortController()
  private readonly subscribers = new RangeIndex<Subscriber>()
  /** Subscribed while a read was under way, which knew nothing of them. They are admitted after it. */
  private readonly arrivals = new Set<Subscriber>()
  private readonly joining = new Map<Subscriber, bigint>()
  private readonly refreshers: Refreshers
  private prevKvs = 0
  private running = false
  private reading = false
  private failures = 0
  /** When the first of the reads began that have failed since; undefined: the last one has not. */
  private awaySinceMs: number | undefined
  private readonly onAway = new Set<(lastsMs: number) => void>()
  private head = 0n
  /** The newest revision that this process is known to have written. */
  private written = 0n
  private current: bigint | undefined
  private lastReadAtMs = Number.NEGATIVE_INFINITY
  private stopListening: (() => void) | undefined
  private polling: AbortController | undefined
  private backingOff: AbortController | undefined

  constructor(options: TailOptions) {
    this.options = options
    this.pace = new PollPace(options.interval, options.environment.random)
    this.refreshers = new Refreshers(options.environment.clock)
  }

  /** Complete through this revision for everybody who is in step; undefined when nobody waits. */
  get position(): bigint | undefined {
    return this.current
  }

  get size(): number {
    return this.subscribers.size + this.arrivals.size
  }

  /** From now on, every event above its position reaches the subscriber, once and in order. */
  subscribe(subscriber: Subscriber): void {
    if (this.reading) this.arrivals.add(subscriber)
    else this.admit(subscriber)
    this.start()
  }

  unsubscribe(subscriber: Subscriber): void {
    this.joining.delete(subscriber)
    if (this.subscribers.delete(subscriber) && subscriber.prevKv) this.prevKvs--
    this.arrivals.delete(subscriber)
    if (!this.isWanted()) this.polling?.abort()
  }

  /** Whether everything through `position` has been delivered to the subscriber. */
  isInStep(subscriber: Subscriber): boolean {
    return this.subscribers.has(subscriber) && !this.joining.has(subscriber)
  }

  /** The revision through which everything has been delivered to the subscriber. */
  completeThrough(subscriber: Subscriber): bigint {
    if (!this.isInStep(subscriber)) return this.joining.get(subscriber) ?? subscriber.position
    return max(subscriber.position, this.current ?? 0n)
  }

  /**
   * Reads the log anew and gives the store's revision as of a moment after the call, when everything through it has
   * been delivered. While the database is away it waits, until a read fails after `giveUpAtMs` (on the clock): then it
   * fails with that read's error. Fails with `Canceled` when the signal aborts.
   */
  refresh(signal: AbortSignal, giveUpAtMs?: number): Promise<bigint> {
    const refreshed = this.refreshers.add(signal, giveUpAtMs)
    this.polling?.abort()
    this.start()
    return refreshed
  }

  /** Each read that fails tells for how long none has succeeded. Gives what ends that. */
  whileAway(listener: (lastsMs: number) => void): () => void {
    this.onAway.add(listener)
    return () => this.onAway.delete(listener)
  }

  /** Stops reading, for good. Subscribers hear nothing more. */
  close(): void {
    this.closing.abort()
    this.stopListening?.()
    this.polling?.abort()
    this.backingOff?.abort()
  }

  private isWanted(): boolean {
    return !this.closing.signal.aborted && (this.size > 0 || this.refreshers.size > 0)
  }

  private start(): void {
    if (this.running || !this.isWanted()) return
    this.running = true
    void this.run()
  }

  private async run(): Promise<void> {
    // Goes on while nobody waits: what this process writes then is read at once when somebody does.
    this.stopListening ??= this.options.events.onWrite((revision) => this.heard(revision))
    try {
      // Those who come back one after another cost no more reads than those who stay.
      if (this.hasJustRead() && !this.isUrgent()) await this.pause()
      while (this.isWanted()) {
        const succeeded = await this.readOnce()
        if (succeeded && !this.isUrgent()) await this.pause()
      }
    } catch (error) {
      this.options.environment.log('error', 'the tail of the log broke', { error })
      this.failAll(EtcdError.of('Stopped', error))
    } finally {
      this.running = false
      this.awaySinceMs = undefined
      this.current = undefined
    }
  }

  /** Whether it would not be time yet for the next read, had nobody left. */
  private hasJustRead(): boolean {
    return this.options.environment.clock.now() - this.lastReadAtMs < this.options.interval.max
  }

  private heard(revision: bigint): void {
    this.written = max(this.written, revision)
    if (this.current !== undefined && revision <= this.current) return
    this.polling?.abort()
    this.backingOff?.abort()
  }

  /** Whether there is something to read or to answer right now. */
  private isUrgent(): boolean {
    const behind = this.current === undefined || this.current < this.head
    return behind || this.joining.size > 0 || this.refreshers.size > 0 || this.written > this.head
  }

  /** Until it is time for the next read: with a hub, that is when the hub can't say what there is. */
  private async pause(): Promise<void> {
    const { environment, hub } = this.options
    const polling = new AbortController()
    this.polling = polling
    const followed = hub !== undefined && (await this.follow(hub, polling))
    if (!followed) await environment.clock.sleep(this.pace.next(), polling.signal)
    this.polling = undefined
  }

  /** Takes what the hub tells, for as long as nothing else is wanted. False: it told nothing, or is away. */
  private async follow(hub: Hub, following: AbortController): Promise<boolean> {
    const query = this.nextQuery()
    let hasTold = false
    let isOver = false
    const take = async (page: EventPage) => {
      // One that was on its way when the hub was lost: the log is being read meanwhile.
      if (isOver) return
      hasTold = true
      // What has changed meanwhile may have changed what is asked for; and the hub may be a moment behind.
      if (following.signal.aborted || page.through < (this.current ?? 0n)) return
      this.take({ ...query, after: this.current ?? query.after }, page)
      if (this.isUrgent()) following.abort()
    }
    try {
      const asked = { ...query, range: query.range ?? rangeOfPrefix(new Uint8Array()), fresh: false }
      await hub.follow(asked, take, following.signal)
      return hasTold || following.signal.aborted
    } catch (error) {
      this.options.environment.log('warn', 'the hub of the log is away; the log is read instead', { error })
      return false
    } finally {
      isOver = true
    }
  }

  private async readOnce(): Promise<boolean> {
    const { events, environment } = this.options
    const query = this.nextQuery()
    this.refreshers.readBegins()
    this.written = 0n
    this.reading = true
    this.lastReadAtMs = environment.clock.now()
    let page: EventPage
    try {
      page = await boundedRead(events, query, environment.clock, this.closing.signal)
    } catch (error) {
      this.reading = false
      this.admitArrivals()
      await this.backOff(error)
      return false
    }
    this.reading = false
    if (this.failures > 0) environment.log('info', 'the log can be read again', { failures: this.failures })
    this.failures = 0
    this.awaySinceMs = undefined
    if (page.events.length > 0) this.pace.quicken()
    this.take(query, page)
    return true
  }

  private nextQuery(): EventQuery {
    if (this.current === undefined) return { after: PAST_THE_END, prevKv: false }
    let after = this.current
    for (const position of this.joining.values()) if (position < after) after = position
    const query = { after, prevKv: this.prevKvs > 0 }
    if (!this.options.filtered) return query
    const range = hullOf(ranges(this.subscribers))
    return range === undefined ? query : { ...query, range }
  }

  private async backOff(error: unknown): Promise<void> {
    // Whoever waited has left, and with it the connection of a Worker's request: nobody's loss.
    if (!this.isWanted()) return
    const { clock, random, log } = this.options.environment
    this.failures++
    if (this.failures === 1) log('warn', 'the log cannot be read; watches wait', { error })
    this.refreshers.readFailed(error)
    this.awaySinceMs ??= this.lastReadAtMs
    const lastsMs = clock.now() - this.awaySinceMs
    for (const listener of [...this.onAway]) listener(lastsMs)
    this.backingOff = new AbortController()
    if (!this.closing.signal.aborted) {
      await clock.sleep(retryDelayMs(this.failures, random), this.backingOff.signal)
    }
    this.backingOff = undefined
  }

  private take(query: EventQuery, page: EventPage): void {
    this.head = page.head.revision
    if (this.current !== undefined && this.head < this.current) this.rewound(this.current)
    else if (this.current === undefined) this.current = page.through
    else if (query.after < page.intactAfter) this.skipLost(page)
    else this.deliver(page, this.current)
    this.admitArrivals()
    if (this.current !== undefined) this.refreshers.readSucceeded(this.head, this.current)
  }

  private deliver(page: EventPage, before: bigint): void {
    for (const [revision, events] of byRevision(page.events)) {
      const batches = new Map<Subscriber, LoggedEvent[]>()
      for (const event of events) {
        this.subscribers.forEachOn(event.kv.key, (subscriber) => {
          const joinedAt = this.joining.get(subscriber) ?? max(subscriber.position, before)
          if (revision <= joinedAt || revision < subscriber.startRevision) return
          const batch = batches.get(subscriber)
          if (batch === undefined) batches.set(subscriber, [event])
          else batch.push(event)
        })
      }
      for (const [subscriber, batch] of batches) subscriber.deliver(revision, batch)
    }
    this.advance(max(before, page.through), page.through)
  }

  /** The tail has come to `position`, and those who are joining to `joined`. */
  private advance(position: bigint, joined: bigint): void {
    this.current = position
    for (const [subscriber, at] of this.joining) {
      const now = max(at, joined)
      if (now >= position) this.joining.delete(subscriber)
      else this.joining.set(subscriber, now)
    }
  }

  /** Whoever needed a revision that compaction removed is told; the next read begins above those. */
  private skipLost({ intactAfter, head }: EventPage): void {
    for (const subscriber of [...this.subscribers]) {
      const next = max(this.completeThrough(subscriber) + 1n, subscriber.startRevision)
      if (next > intactAfter) continue
      this.unsubscribe(subscriber)
      subscriber.compacted(head.compactRevision)
    }
    this.advance(max(this.current ?? 0n, intactAfter), intactAfter)
  }

  /** The store lost revisions that were delivered, so what comes next would be skipped: clients must begin anew. */
  private rewound(position: bigint): void {
    this.options.environment.log('error', 'the store went back: its revision is below one that was read', {
      revision: String(this.head),
      position: String(position),
    })
    this.current = undefined
    this.failAll(EtcdError.of('NoLeader'))
  }

  private failAll(error: EtcdError): void {
    for (const subscriber of [...this.subscribers]) {
      this.unsubscribe(subscriber)
      subscriber.failed(error)
    }
  }

  private admitArrivals(): void {
    for (const subscriber of this.arrivals) this.admit(subscriber)
    this.arrivals.clear()
  }

  private admit(subscriber: Subscriber): void {
    this.subscribers.add(subscriber)
    if (subscriber.prevKv) this.prevKvs++
    this.current ??= subscriber.position
    const isJoining = subscriber.position < this.current
    if (isJoining) this.joining.set(subscriber, subscriber.position)
    // A hub was asked for what the others wait for.
    if (isJoining || this.options.hub !== undefined) this.polling?.abort()
  }
}

function* ranges(subscribers: Iterable<Subscriber>): Generator<KeyRange> {
  for (const subscriber of subscribers) yield subscriber.range
}
