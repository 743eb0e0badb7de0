import type { Identity } from '../../store/types.ts'
import { eventAnswer, type WatchAnswer } from './answers.ts'
import { fragmentsOf } from './fragment.ts'
import type { Outgoing } from './outbox.ts'

/** etcd's id of what is about no watch, or about all of a stream. */
export const NO_WATCH = -1n

/** The messages of one entry of the outbox: several only for a watch that takes fragments, of `fragmentBytesMax` or more. */
export function* messagesOf(
  outgoing: Outgoing,
  identity: Identity,
  fragmentBytesMax: number,
): Generator<WatchAnswer> {
  switch (outgoing.kind) {
    case 'control':
      yield outgoing.answer
      return
    case 'progress': {
      const { watch, revision } = outgoing
      yield { header: { ...identity, revision }, watchId: watch?.id ?? NO_WATCH }
      return
    }
    case 'live':
    case 'history': {
      const { watch, revision } = outgoing
      const events = outgoing.events.map((event) => eventAnswer(event, watch))
      const answer = { header: { ...identity, revision }, watchId: watch.id, fragment: false, events }
      if (watch.fragment) yield* fragmentsOf(answer, fragmentBytesMax)
      else yield answer
      return
    }
    default:
      outgoing satisfies never
  }
}
