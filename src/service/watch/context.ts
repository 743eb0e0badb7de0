import type { Environment } from '../../environment.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { Slots } from '../../slots.ts'
import type { EventLog } from '../../store/event-log.ts'
import type { Identity } from '../../store/types.ts'
import { LogReader } from './log-reader.ts'
import type { PollInterval } from './pace.ts'
import { Tail } from './tail.ts'

export interface WatchDependencies {
  readonly events: EventLog
  identity(): Promise<Identity>
  readonly environment: Environment
  /**
   * Whether the process lives between requests, so that one tail serves all of them. Otherwise each stream and each
   * long poll has a tail of its own, which reads only for the keys that are watched.
   */
  readonly sharedTail: boolean
  readonly pollIntervalMs: PollInterval
  /** Streams end cleanly after this time. */
  readonly streamMaxMs?: number
}

/** The two ways into the log that one stream or one long poll has. */
export interface LogAccess {
  readonly tail: Tail
  readonly reader: LogReader
  /** Gives back what this access alone held. */
  release(): void
}

/** Something that waits for events, and can be told that the server stops. */
export interface Waiting {
  readonly watches: number
  readonly behind: number
  end(): void
}

/** What all streams and long polls of a process share. */
export class WatchContext {
  readonly environment: Environment
  readonly streamMaxMs: number | undefined
  readonly waiting = new Set<Waiting>()
  private readonly dependencies: WatchDependencies
  private readonly slots = new Slots(LIMITS.watchHistoryReadsMax)
  private readonly shared: Tail | undefined
  private stopped = false

  constructor(dependencies: WatchDependencies) {
    this.dependencies = dependencies
    this.environment = dependencies.environment
    this.streamMaxMs = dependencies.streamMaxMs
    this.shared = dependencies.sharedTail ? this.newTail(false) : undefined
  }

  get isStopped(): boolean {
    return this.stopped
  }

  /** How far the shared tail has come; undefined when nobody waits. */
  get position(): bigint | undefined {
    return this.shared?.position
  }

  identity(): Promise<Identity> {
    return this.dependencies.identity()
  }

  access(): LogAccess {
    const { events, environment } = this.dependencies
    const tail = this.shared ?? this.newTail(true)
    return {
      tail,
      reader: new LogReader(events, environment, this.slots, tail),
      release: () => {
        if (tail !== this.shared) tail.close()
      },
    }
  }

  /** Ends everything that waits, cleanly, and what comes later at once. */
  stop(): void {
    this.stopped = true
    for (const waiting of [...this.waiting]) waiting.end()
    this.shared?.close()
  }

  private newTail(filtered: boolean): Tail {
    const { events, environment, pollIntervalMs } = this.dependencies
    return new Tail({ events, environment, interval: pollIntervalMs, filtered })
  }
}
