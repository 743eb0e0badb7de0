import type { Watch } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Call } from '../call.ts'
import type { Implementation, LongPoll } from '../services.ts'
import type { WatchAnswer } from './answers.ts'
import { WatchContext, type WatchDependencies } from './context.ts'
import { longPoll } from './long-poll.ts'
import { messagesOf } from './messages.ts'
import { WatchStream } from './stream.ts'

export type { WatchDependencies } from './context.ts'

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
  /** How far the shared tail has come; undefined when nobody waits, or without one. */
  readonly position: bigint | undefined
}

/**
 * etcd's Watch RPC and the long poll (invariant 7): events are read from the log by position, so each watch sees every
 * event of its range once, in order, no revision split (but into fragments, when asked for), for as long as the log
 * holds them. While the database is away, watches wait.
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
      yield* messagesOf(outgoing, identity)
    }
    if (stream.error !== undefined) throw stream.error
  } finally {
    call.signal.removeEventListener('abort', end)
    stream.end()
  }
}

function metricsOf(context: WatchContext): WatchMetrics {
  const sum = (count: (waiting: { watches: number; behind: number }) => number) => {
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
    get position() {
      return context.position
    },
  }
}
