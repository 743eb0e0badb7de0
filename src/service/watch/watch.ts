import type { EtcdError } from '../../etcd/errors.ts'
import type { WatchCreateRequest_FilterType } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { LoggedEvent } from '../../store/event-log.ts'
import { isWanted, type View } from './answers.ts'
import type { KeyRange } from './key-range.ts'
import type { Subscriber } from './tail.ts'

/** What a watch needs of its stream. */
export interface WatchOwner {
  /** Takes a revision's events for sending; false when there is no room. */
  offerLive(watch: Watch, revision: bigint, events: LoggedEvent[]): boolean
  /** Takes back what was offered and is unsent; the first revision of it, if any. */
  takeBackLive(watch: Watch): bigint | undefined
  /** The watch must go on by reading the log from its position. */
  fallBehind(watch: Watch): void
  cancelCompacted(watch: Watch, compactRevision: bigint): void
  fail(error: EtcdError): void
}

export interface WatchOptions extends View {
  readonly id: bigint
  readonly range: KeyRange
  /** 0n: from the next revision on. */
  readonly startRevision: bigint
  readonly fragment: boolean
  readonly progressNotify: boolean
}

/** One watch of a stream: what it wants to see, and how far it has come. */
export class Watch implements Subscriber, WatchOptions {
  readonly id: bigint
  readonly range: KeyRange
  readonly startRevision: bigint
  readonly prevKv: boolean
  readonly filters: readonly WatchCreateRequest_FilterType[]
  readonly fragment: boolean
  readonly progressNotify: boolean
  /** Everything through here was put out for sending; while subscribed to the tail, the tail knows better. */
  position = 0n
  /** Whether the client was told that it exists. */
  announced = false
  /** No events were sent since the last time for progress. */
  quiet = true
  private readonly owner: WatchOwner

  constructor(options: WatchOptions, owner: WatchOwner) {
    this.id = options.id
    this.range = options.range
    this.startRevision = options.startRevision
    this.prevKv = options.prevKv
    this.filters = options.filters
    this.fragment = options.fragment
    this.progressNotify = options.progressNotify
    this.owner = owner
  }

  /** The first revision that it has yet to see. */
  get next(): bigint {
    const next = this.position + 1n
    return next > this.startRevision ? next : this.startRevision
  }

  /** The events that it wants to see of these. */
  select(events: readonly LoggedEvent[]): LoggedEvent[] {
    return events.filter((event) => isWanted(event, this))
  }

  deliver(revision: bigint, events: LoggedEvent[]): void {
    const wanted = this.select(events)
    if (wanted.length === 0 || this.owner.offerLive(this, revision, wanted)) return
    const first = this.owner.takeBackLive(this) ?? revision
    this.position = first - 1n
    this.owner.fallBehind(this)
  }

  compacted(compactRevision: bigint): void {
    this.owner.cancelCompacted(this, compactRevision)
  }

  failed(error: EtcdError): void {
    this.owner.fail(error)
  }
}
