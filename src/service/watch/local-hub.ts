import type { Clock } from '../../environment.ts'
import type { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { NEVER } from '../../never.ts'
import type { EventPage, LoggedEvent } from '../../store/event-log.ts'
import type { Hub, HubQuery, TakePage } from './hub.ts'
import type { KeyRange } from './key-range.ts'
import type { RecentLog } from './recent-log.ts'
import type { Subscriber, Tail } from './tail.ts'

/** How often one who follows hears that there is nothing: also how soon it shows that it isn't there any more. */
const FOLLOWER_WAIT_MS = 15_000

/** For so many reads of others somebody waits who comes from far back, and then reads alone. */
const REACHES_AWAITED_MAX = 2

export interface LocalHubOptions {
  /** Reads `recent`, so that what it has seen is there for those who come a moment later. */
  readonly tail: Tail
  readonly recent: RecentLog
  readonly clock: Clock
  /** Nobody is answered from a read that began longer ago than this, however little there is to read. */
  readonly maxAgeMs: number
  /** Whether those who wait differ in what they wait for: then the end of the log is kept with all that is in it. */
  readonly shared: boolean
}

/**
 * A hub on a tail of its own process. Whoever comes from a position that the tail went by a moment ago is answered from
 * what it saw; all others from the same position share the read that goes back there.
 */
export class LocalHub implements Hub {
  readonly #options: LocalHubOptions
  #waiters = 0
  #restingSinceMs = 0
  #reaching: Promise<void> | undefined

  constructor(options: LocalHubOptions) {
    this.#options = options
  }

  async next(query: HubQuery, waitMs: number, signal: AbortSignal): Promise<EventPage | undefined> {
    const { tail, clock } = this.#options
    const endsAtMs = clock.now() + waitMs
    this.#forgetTheOld()
    this.#waiters++
    try {
      const wanted =
        query.after === undefined || query.fresh ? await tail.refresh(signal, endsAtMs) : undefined
      const after = query.after ?? wanted ?? 0n
      let page = await this.#page({ ...query, after }, signal)
      if (page !== undefined && page.events.length > 0 && this.#isOutdated()) {
        await tail.refresh(signal, endsAtMs)
        page = await this.#page({ ...query, after }, signal)
      }
      if (page === undefined || page.events.length > 0) return page
      return await this.#wait({ ...query, after }, page, endsAtMs, signal)
    } finally {
      this.#waiters--
      this.#restingSinceMs = clock.now()
    }
  }

  async follow(query: HubQuery, take: TakePage, signal: AbortSignal): Promise<void> {
    let { after, fresh } = query
    while (!signal.aborted) {
      const page = await this.next({ ...query, after, fresh }, FOLLOWER_WAIT_MS, signal)
      if (page === undefined || signal.aborted) return
      await take(page)
      // A position in the future isn't come to yet.
      if (after === undefined || page.through > after) after = page.through
      fresh = false
    }
  }

  /** While nobody waits nothing is read, and what was seen last would be the start of an ever longer way. */
  #forgetTheOld(): void {
    const { clock, recent } = this.#options
    const isOld = clock.now() - this.#restingSinceMs > LIMITS.watchRecentMs
    if (this.#waiters === 0 && isOld) recent.forget()
  }

  /** Whether what is known is so old that whoever may see it may have changed. */
  #isOutdated(): boolean {
    const { clock, recent, maxAgeMs } = this.#options
    return clock.now() - recent.asOfMs > maxAgeMs
  }

  /** What is known above the position; undefined when it lies too far back. */
  async #page({ after, range, prevKv }: Positioned, signal: AbortSignal): Promise<EventPage | undefined> {
    const { recent } = this.#options
    const known = () => recent.page(after, range, prevKv)
    // Somebody who comes from elsewhere may be going back already, perhaps as far. One does at a time: it is a whole page on
    // the connection that writes share.
    for (let others = 0; this.#reaching !== undefined && known() === undefined; others++) {
      if (others === REACHES_AWAITED_MAX || signal.aborted) return undefined
      await orAborted(this.#reaching, signal)
    }
    if (known() === undefined && !signal.aborted && recent.mayReach(after)) {
      await orAborted(this.#reachBack({ after, range, prevKv }), signal)
    }
    return known()
  }

  /** It is everybody's, and goes on when whoever began it leaves: the database would go on with it anyway. */
  #reachBack({ after, range, prevKv }: Positioned): Promise<void> {
    const { recent, shared } = this.#options
    const query = { after, prevKv, ...(!shared && { range }) }
    this.#reaching = recent
      .reachBack(query, NEVER)
      // When it can't be read, whoever asked finds that out by reading it alone.
      .catch(() => {})
      .finally(() => {
        this.#reaching = undefined
      })
    return this.#reaching
  }

  async #wait(
    { range, prevKv, after }: Positioned,
    known: EventPage,
    endsAtMs: number,
    signal: AbortSignal,
  ): Promise<EventPage> {
    const { tail, clock, recent } = this.#options
    const waiter = new Waiter(range, prevKv, after, known.through)
    const abort = () => waiter.wake()
    signal.addEventListener('abort', abort, { once: true })
    tail.subscribe(waiter)
    try {
      if (!signal.aborted) await clock.sleep(endsAtMs - clock.now(), waiter.signal)
      if (waiter.error !== undefined) throw waiter.error
      const { events, lostBefore = known.intactAfter } = waiter
      return {
        head: recent.head ?? known.head,
        through: tail.completeThrough(waiter),
        intactAfter: lostBefore,
        events,
      }
    } finally {
      tail.unsubscribe(waiter)
      signal.removeEventListener('abort', abort)
    }
  }
}

/** Waits for something that never fails, until the signal aborts. */
function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    void work.then(done)
  })
}

type Positioned = Omit<HubQuery, 'after' | 'fresh'> & { readonly after: bigint }

/** One who waits at the tail, until the first page that has something for it. */
class Waiter implements Subscriber {
  readonly range: KeyRange
  readonly prevKv: boolean
  readonly startRevision: bigint
  readonly position: bigint
  readonly events: LoggedEvent[] = []
  /** Revisions before this one are lost, and it needed them. */
  lostBefore: bigint | undefined
  error: EtcdError | undefined
  readonly #done = new AbortController()

  constructor(range: KeyRange, prevKv: boolean, after: bigint, position: bigint) {
    this.range = range
    this.prevKv = prevKv
    this.startRevision = after + 1n
    this.position = position
  }

  get signal(): AbortSignal {
    return this.#done.signal
  }

  wake(): void {
    this.#done.abort()
  }

  deliver(_revision: bigint, events: LoggedEvent[]): void {
    this.events.push(...events)
    this.wake()
  }

  compacted(compactRevision: bigint): void {
    this.lostBefore = compactRevision
    this.wake()
  }

  failed(error: EtcdError): void {
    this.error = error
    this.wake()
  }
}
