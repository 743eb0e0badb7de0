import type { EventsAnswer } from './answers.ts'
import { answerSize, answerSizeWithoutEvents, eventFieldSize } from './message-size.ts'

/**
 * Splits an answer that has `sizeMax` bytes or more, as protobuf, into parts below that, one event at the least in
 * each. All but the last say `fragment`. An answer with one event is never split. This is etcd's rule.
 */
export function* fragmentsOf(answer: EventsAnswer, sizeMax: number): Generator<EventsAnswer> {
  if (answer.events.length < 2 || answerSize(answer) < sizeMax) {
    yield answer
    return
  }
  const emptySize = answerSizeWithoutEvents({ ...answer, fragment: true })
  let size = emptySize
  let from = 0
  for (const [index, event] of answer.events.entries()) {
    const eventSize = eventFieldSize(event)
    if (index > from && size + eventSize >= sizeMax) {
      yield { ...answer, fragment: true, events: answer.events.slice(from, index) }
      from = index
      size = emptySize
    }
    size += eventSize
  }
  yield { ...answer, events: answer.events.slice(from) }
}
