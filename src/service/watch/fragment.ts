import { WatchResponseSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { EventSchema } from '../../etcd/generated/mvccpb/kv_pb.ts'
import { delimitedSize, protobufSize, tagSize } from '../../etcd/protobuf-size.ts'
import type { EventAnswer, EventsAnswer } from './answers.ts'

const EVENT_TAG_BYTES = tagSize(WatchResponseSchema.field.events.number)

/**
 * Splits an answer that has `sizeMax` bytes or more, as protobuf, into parts below that, one event at the least in
 * each. All but the last say `fragment`. An answer with one event is never split. This is etcd's rule.
 */
export function* fragmentsOf(answer: EventsAnswer, sizeMax: number): Generator<EventsAnswer> {
  if (answer.events.length < 2 || protobufSize(WatchResponseSchema, answer) < sizeMax) {
    yield answer
    return
  }
  const emptySize = protobufSize(WatchResponseSchema, { ...answer, fragment: true, events: [] })
  let size = emptySize
  let from = 0
  for (const [index, event] of answer.events.entries()) {
    const eventSize = sizeInAnswer(event)
    if (index > from && size + eventSize >= sizeMax) {
      yield { ...answer, fragment: true, events: answer.events.slice(from, index) }
      from = index
      size = emptySize
    }
    size += eventSize
  }
  yield { ...answer, events: answer.events.slice(from) }
}

/** What one event adds to a WatchResponse. */
function sizeInAnswer(event: EventAnswer): number {
  return EVENT_TAG_BYTES + delimitedSize(protobufSize(EventSchema, event))
}
