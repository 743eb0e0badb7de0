import type { Watch } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Call } from '../call.ts'
import type { Implementation, LongPoll } from '../services.ts'
import type { WatchAnswer } from './answers.ts'
import { type Waiting, WatchContext, type WatchDependencies } from './context.ts'
import { longPoll } from './long-poll.ts'
import { messagesOf } from './messages.ts'
import { WatchStream } from './stream.ts'

type WatchRpc = Implementation<typeof Watch>['watch']

export interface WatchService {
  readonly watch: WatchRpc
  readonly longPoll: LongPoll
  readonly metrics: WatchMetrics
  /** Ends all streams and long polls cleanly, and those that come later at once. */
  close(): void
}

/** What the service holds at the moment. */
export interface WatchMetrics {
  readonly streams: number
  readonly watchers: number
  /** Watchers that read the log on their own because they are behind. */
  readonly slowWatchers: number
  /** Long polls, which are watchers too. */
  readonly longPolls: number
  /** Events that were sent since the start, and those that wait to be sent. */
  readonly eventsSent: number
  readonly pendingEvents: number
  /** Revisions that the slowest watcher has yet to read, of those that the shared tail has seen. */
  readonly lag: number
  /** How far the shared tail has come; undefined when nobody waits, or without one. */
  readonly position: bigint | undefined
}

/**
 * etcd's Watch RPC and the long poll (invariant 7): events are read from the log by position, so each watch sees every
 * event of its range once, in order, no revision split (but into fragments, when asked for), for as long as the log
 * holds them. While the database is away, watches wait; streams whose client requires a leader end.
 */
export function createWatch(dependencies: WatchDependencies): WatchService {
  const context = new WatchContext(dependencies)
  return {
    watch: (requests, call) => serve(context, requests, call),
    longPoll: (request, call) => longPoll(context, request, call),
    metrics: metricsOf(context),
    close: () => context.stop(),
  }
}

async function* serve(
  context: WatchContext,
  requests: Parameters<WatchRpc>[0],
  call: Call,
): AsyncGenerator<WatchAnswer> {
  const identity = await context.identity()
  if (call.signal.aborted || context.isStopped) return
  const stream = new WatchStream(context, identity, call)
  const end = () => stream.end()
  call.signal.addEventListener('abort', end, { once: true })
  try {
    stream.limitTime()
    void stream.receive(requests)
    for (;;) {
      const outgoing = await stream.outbox.take()
      if (outgoing === undefined) break
      for (const message of messagesOf(outgoing, identity, context.fragmentBytesMax)) {
        context.eventsSent += message.events?.length ?? 0
        yield message
      }
    }
    if (stream.error !== undefined) throw stream.error
  } finally {
    call.signal.removeEventListener('abort', end)
    stream.end()
  }
}

function metricsOf(context: WatchContext): WatchMetrics {
  const sum = (count: (waiting: Waiting) => number) => {
    let total = 0
    for (const waiting of context.waiting) total += count(waiting)
    return total
  }
  return {
    get streams() {
      return context.waiting.size
    },
    get watchers() {
      return sum(({ watches }) => watches)
    },
    get slowWatchers() {
      return sum(({ behind }) => behind)
    },
    get longPolls() {
      return sum(({ kind }) => (kind === 'long poll' ? 1 : 0))
    },
    get eventsSent() {
      return context.eventsSent
    },
    get pendingEvents() {
      return sum(({ unsentEvents }) => unsentEvents)
    },
    get lag() {
      const { position = 0n } = context
      let lag = 0n
      for (const { lowest = position } of context.waiting) {
        if (position - lowest > lag) lag = position - lowest
      }
      return Number(lag)
    },
    get position() {
      return context.position
    },
  }
}
