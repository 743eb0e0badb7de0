import type { Environment } from '../../environment.ts'
import type { EventLog } from '../../store/event-log.ts'
import type { Hub } from './hub.ts'
import { LocalHub } from './local-hub.ts'
import type { PollInterval } from './pace.ts'
import { RecentLog } from './recent-log.ts'
import { Tail } from './tail.ts'

export interface FollowerOptions {
  readonly events: EventLog
  readonly environment: Environment
  readonly interval: PollInterval
  /** Whether many follow the log here: then it is read with all that is in it. */
  readonly shared: boolean
  /** Who tells the tail of what there is to read. */
  readonly hub?: Hub
}

/** One reader at the end of the log, and the hub on it. */
export interface Follower {
  readonly tail: Tail
  readonly hub: LocalHub
  /** What the tail keeps of what it reads. */
  readonly recent: RecentLog
}

/** Puts a tail and its hub together. Nothing is read until somebody waits. */
export function followLog({ events, environment, interval, shared, hub }: FollowerOptions): Follower {
  const recent = new RecentLog(events, environment.clock)
  const tail = new Tail({ events: recent, environment, interval, filtered: !shared, ...(hub && { hub }) })
  const hubOptions = { tail, recent, clock: environment.clock, maxAgeMs: 2 * interval.max, shared }
  return { tail, hub: new LocalHub(hubOptions), recent }
}
