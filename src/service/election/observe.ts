import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  WatchCreateRequest_FilterType as FilterType,
  type ResponseHeader,
  type WatchCreateRequestSchema,
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { type Event, Event_EventType as EventType, type KeyValue } from '../../etcd/generated/mvccpb/kv_pb.ts'
import type { Call } from '../call.ts'
import { Client } from '../coordination/client.ts'
import { firstOf, prefixOf, rangeOf } from '../coordination/contest.ts'
import type { Foundation } from '../coordination/foundation.ts'
import { revisionOf } from '../kv/client.ts'

interface Leader {
  readonly header: ResponseHeader | undefined
  readonly kv: KeyValue
}

interface HeadedEvent {
  readonly header: ResponseHeader | undefined
  readonly event: Event
}

/**
 * Tells who leads, then each new value and each new leader, in order; nothing when there is none. Of leaders who came
 * and went while nobody looked only the last is told, as in etcd. Ends when the call or the watch underneath ends.
 */
export async function* observeLeaders(
  foundation: Foundation,
  name: Uint8Array,
  call: Call,
): AsyncGenerator<Leader> {
  const prefix = prefixOf(name)
  const client = new Client(foundation, call)
  for (;;) {
    const now = await client.range(firstOf(prefix))
    const [first] = now.kvs
    const leader =
      first === undefined
        ? await firstCandidate(foundation, prefix, revisionOf(now), call)
        : { header: now.header, kv: first }
    if (leader === undefined) return
    yield leader
    const next = { key: leader.kv.key, startRevision: revisionOf(leader) + 1n }
    const hasGone = yield* valuesOf(events(foundation, next, call))
    if (!hasGone) return
  }
}

/** The first who enters an election that had nobody in it at `revision`. Undefined when the watch ends before. */
async function firstCandidate(
  foundation: Foundation,
  prefix: Uint8Array,
  revision: bigint,
  call: Call,
): Promise<Leader | undefined> {
  const watch = { ...rangeOf(prefix), startRevision: revision + 1n, filters: [FilterType.NODELETE] }
  for await (const { header, event } of events(foundation, watch, call)) {
    // The message may hold later revisions; the next watch begins after this event.
    if (header !== undefined && event.kv !== undefined) {
      return { header: { ...header, revision: event.kv.modRevision }, kv: event.kv }
    }
  }
  return undefined
}

/** A leader's values until its key is deleted: then true. False when the watch ends before. */
async function* valuesOf(watched: AsyncIterable<HeadedEvent>): AsyncGenerator<Leader, boolean> {
  for await (const { header, event } of watched) {
    if (event.type === EventType.DELETE) return true
    if (event.kv !== undefined) yield { header, kv: event.kv }
  }
  return false
}

/** The events of one watch, each with its message's header. Ends when the watch is canceled. */
async function* events(
  { watch }: Pick<Foundation, 'watch'>,
  request: MessageInitShape<typeof WatchCreateRequestSchema>,
  call: Call,
): AsyncGenerator<HeadedEvent> {
  for await (const answer of watch(oneRequest(request), call)) {
    const response: WatchResponse = create(WatchResponseSchema, answer)
    for (const event of response.events) yield { header: response.header, event }
    if (response.canceled) return
  }
}

async function* oneRequest(
  request: MessageInitShape<typeof WatchCreateRequestSchema>,
): AsyncGenerator<WatchRequest> {
  yield create(WatchRequestSchema, { requestUnion: { case: 'createRequest', value: request } })
}
