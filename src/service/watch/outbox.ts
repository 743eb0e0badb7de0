import type { LoggedEvent } from '../../store/event-log.ts'
import type { WatchAnswer } from './answers.ts'
import type { Watch } from './watch.ts'

/** What a stream has yet to send. */
export type Outgoing =
  /** Created, canceled: as it is. */
  | { readonly kind: 'control'; readonly answer: WatchAnswer }
  /** Everything through `revision` was sent before this; of one watch, or of the whole stream. */
  | { readonly kind: 'progress'; readonly watch: Watch | undefined; readonly revision: bigint }
  /** One revision's events, as they came. */
  | (Events & { readonly kind: 'live' })
  /** A page of the past: whole revisions, the last of them `revision`. */
  | (Events & { readonly kind: 'history' })

export interface Events {
  readonly watch: Watch
  readonly revision: bigint
  readonly events: readonly LoggedEvent[]
}

/** What an event costs beside its bytes, roughly. */
const EVENT_OVERHEAD_BYTES = 200
/** The queue's front is cut off when this many of its entries were sent. */
const SENT_MAX = 256

/**
 * What one stream has yet to send, in order, taken by the transport one at a time. It holds at most `liveBytesMax` of
 * live events (or one revision's, if that is more), and one page of history.
 */
export class Outbox {
  private readonly liveBytesMax: number
  private readonly taken: () => void
  /** What was sent is undefined; `next` is the first that was not. */
  private queue: (Outgoing | undefined)[] = []
  private next = 0
  private liveBytes = 0
  private histories = 0
  private controls = 0
  private eventCount = 0
  private waiting: ((outgoing: Outgoing | undefined) => void) | undefined
  private ended = false

  /** `taken` is called whenever something was taken out. */
  constructor(liveBytesMax: number, taken: () => void) {
    this.liveBytesMax = liveBytesMax
    this.taken = taken
  }

  get holdsHistory(): boolean {
    return this.histories > 0
  }

  /** How many answers without events are unsent. */
  get unsentControls(): number {
    return this.controls
  }

  /** How many events are unsent. */
  get unsentEvents(): number {
    return this.eventCount
  }

  /** Whether so many more live events fit. */
  hasRoomFor(events: readonly LoggedEvent[]): boolean {
    return this.liveBytes === 0 || this.liveBytes + bytesOf(events) <= this.liveBytesMax
  }

  push(outgoing: Outgoing): void {
    if (this.ended) return
    this.count(outgoing, 1)
    this.queue.push(outgoing)
    this.serve()
  }

  /** The next to send, as soon as there is one; undefined at the end. For one caller at a time. */
  take(): Promise<Outgoing | undefined> {
    return new Promise((resolve) => {
      this.waiting = resolve
      this.serve()
    })
  }

  /** Takes back the unsent live events of a watch, and every progress they would belie. The first's revision. */
  dropLive(watch: Watch): bigint | undefined {
    let first: bigint | undefined
    this.drop((outgoing) => {
      const isHis = outgoing.kind === 'live' && outgoing.watch === watch
      if (isHis) first ??= outgoing.revision
      const isBelied =
        outgoing.kind === 'progress' && (outgoing.watch === undefined || outgoing.watch === watch)
      return isHis || isBelied
    })
    return first
  }

  /** Drops whatever a watch has unsent. */
  dropAll(watch: Watch): void {
    this.drop((outgoing) => outgoing.kind !== 'control' && outgoing.watch === watch)
  }

  /** Nothing more is sent, not even what waits. */
  end(): void {
    this.ended = true
    this.queue = []
    this.next = 0
    this.eventCount = 0
    this.serve()
  }

  private drop(isDropped: (outgoing: Outgoing) => boolean): void {
    this.queue = this.queue.slice(this.next).filter((outgoing) => {
      if (outgoing === undefined) return false
      if (!isDropped(outgoing)) return true
      this.count(outgoing, -1)
      return false
    })
    this.next = 0
  }

  private serve(): void {
    const resolve = this.waiting
    if (resolve === undefined) return
    const outgoing = this.queue[this.next]
    if (outgoing === undefined && !this.ended) return
    this.waiting = undefined
    if (outgoing !== undefined) {
      this.queue[this.next++] = undefined
      this.count(outgoing, -1)
      this.cutFront()
    }
    resolve(outgoing)
    if (outgoing !== undefined) this.taken()
  }

  private count(outgoing: Outgoing, sign: 1 | -1): void {
    switch (outgoing.kind) {
      case 'control':
      case 'progress':
        this.controls += sign
        return
      case 'live':
        this.liveBytes += sign * bytesOf(outgoing.events)
        this.eventCount += sign * outgoing.events.length
        return
      case 'history':
        this.histories += sign
        this.eventCount += sign * outgoing.events.length
        return
      default:
        outgoing satisfies never
    }
  }

  /** Not each time: moving the rest up would make a long queue quadratic. */
  private cutFront(): void {
    if (this.next < this.queue.length && (this.next < SENT_MAX || this.next * 2 < this.queue.length)) return
    this.queue = this.queue.slice(this.next)
    this.next = 0
  }
}

function bytesOf(events: readonly LoggedEvent[]): number {
  let bytes = 0
  for (const { kv, prevKv } of events) {
    bytes += EVENT_OVERHEAD_BYTES + kv.key.length + kv.value.length + (prevKv?.value.length ?? 0)
  }
  return bytes
}
