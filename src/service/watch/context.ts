import type { Environment } from '../../environment.ts'
import type { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { Slots } from '../../slots.ts'
import type { EventLog } from '../../store/event-log.ts'
import type { Head, Identity } from '../../store/types.ts'
import { type Follower, followLog } from './follower.ts'
import type { Hub } from './hub.ts'
import type { KeyRange } from './key-range.ts'
import { LogReader } from './log-reader.ts'
import type { PollInterval } from './pace.ts'
import type { ReaderRights, WatchAccess } from './reader-rights.ts'
import type { Tail } from './tail.ts'

export interface WatchDependencies {
  readonly events: EventLog
  readonly access: WatchAccess
  identity(): Promise<Identity>
  readonly environment: Environment
  /**
   * Whether the process lives between requests, so that one tail serves all of them. Otherwise each stream and each
   * long poll has a tail of its own, which reads only for the keys that are watched.
   */
  readonly sharedTail: boolean
  readonly pollIntervalMs: PollInterval
  /** Where those of many processes meet; without one, they meet in this process at the most. */
  readonly hub?: Hub
  /** How often a watch that asked for it hears how far it has come; etcd's ten minutes if it isn't said. */
  readonly progressIntervalMs?: number
  /** Streams end cleanly after this time. */
  readonly streamMaxMs?: number
  /** An answer of this size or more is split when its watch asked for fragments: what a message may have, etcd's if it isn't said. */
  readonly fragmentBytesMax?: number
}

/** The ways into the log that one stream or one long poll has. */
export interface LogAccess {
  readonly tail: Tail
  /** Where it meets the others that wait. */
  readonly hub: Hub
  readonly reader: LogReader
  /** Gives back what this access alone held. */
  release(): void
}

/** Something that waits for events, and can be told that the server stops. */
export interface Waiting {
  readonly kind: 'stream' | 'long poll'
  readonly watches: number
  readonly behind: number
  /** The position of the one that is furthest behind; undefined: none is. */
  readonly lowest: bigint | undefined
  /** Events that it has read and not sent yet. */
  readonly unsentEvents: number
  readonly rights: ReaderRights
  /** Ends what it watches of the ranges for which there is an error, with that; the store is at the revision. */
  dismiss(refusalOf: (range: KeyRange) => EtcdError | undefined, revision: bigint): void
  end(): void
}

/** What all streams and long polls of a process share. */
export class WatchContext {
  readonly environment: Environment
  readonly streamMaxMs: number | undefined
  readonly fragmentBytesMax: number
  readonly progressIntervalMs: number
  readonly waiting = new Set<Waiting>()
  /** Events that were sent, for metrics. */
  eventsSent = 0
  readonly access: WatchAccess
  private readonly events: EventLog
  private readonly dependencies: WatchDependencies
  private readonly slots = new Slots(LIMITS.watchHistoryReadsMax)
  private readonly shared: Follower | undefined
  private readonly remote: Hub | undefined
  private stopped = false

  constructor(dependencies: WatchDependencies) {
    this.dependencies = dependencies
    this.access = dependencies.access
    const { events } = dependencies
    this.events = {
      read: async (query, signal) => {
        const page = await events.read(query, signal)
        await this.renewRights(page.head)
        return page
      },
      onWrite: (listener) => events.onWrite(listener),
    }
    this.environment = dependencies.environment
    this.streamMaxMs = dependencies.streamMaxMs
    this.fragmentBytesMax =
      dependencies.fragmentBytesMax ?? LIMITS.requestBytesMax + LIMITS.messageOverheadBytes
    this.progressIntervalMs = dependencies.progressIntervalMs ?? LIMITS.watchProgressIntervalMs
    this.shared = dependencies.sharedTail ? this.newFollower(true) : undefined
    this.remote = this.renewing(dependencies.hub)
  }

  get isStopped(): boolean {
    return this.stopped
  }

  /** How far the shared tail has come; undefined when nobody waits. */
  get position(): bigint | undefined {
    return this.shared?.tail.position
  }

  identity(): Promise<Identity> {
    return this.dependencies.identity()
  }

  openLog(): LogAccess {
    const { events, environment } = this
    const { tail, hub } = this.shared ?? this.newFollower(false)
    return {
      tail,
      hub: this.remote ?? hub,
      reader: new LogReader(events, environment, this.slots, tail, this.shared?.recent),
      release: () => {
        if (tail !== this.shared?.tail) tail.close()
      },
    }
  }

  /** Ends everything that waits, cleanly, and what comes later at once. */
  stop(): void {
    this.stopped = true
    for (const waiting of [...this.waiting]) waiting.end()
    this.shared?.tail.close()
  }

  /**
   * Nobody sees a page of the log before everybody who waits was asked for under its rights: whoever may not read a range
   * any more isn't watching it when the page comes.
   */
  private async renewRights({ authVersion, revision }: Head, mayBeLate = false): Promise<void> {
    const outdated = [...this.waiting].filter(
      ({ rights }) => !rights.areOf(authVersion) && !(mayBeLate && rights.areLaterThan(authVersion)),
    )
    if (outdated.length === 0) return
    this.access.observe(authVersion)
    await Promise.all(
      outdated.map(async (waiting) => {
        waiting.dismiss(await waiting.rights.renew(authVersion), revision)
      }),
    )
  }

  /** A hub whose pages are seen under rights that are as new. */
  private renewing(hub: Hub | undefined): Hub | undefined {
    if (hub === undefined) return undefined
    return {
      next: async (query, waitMs, signal) => {
        const page = await hub.next(query, waitMs, signal)
        // What it knows may be of a moment before this process read the rights.
        if (page !== undefined) await this.renewRights(page.head, true)
        return page
      },
      follow: (query, take, signal) =>
        hub.follow(
          query,
          async (page) => {
            await this.renewRights(page.head, true)
            await take(page)
          },
          signal,
        ),
    }
  }

  private newFollower(shared: boolean): Follower {
    const { environment, events, remote } = this
    const interval = this.dependencies.pollIntervalMs
    return followLog({ events, environment, interval, shared, ...(remote && { hub: remote }) })
  }
}
