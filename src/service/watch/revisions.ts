import type { LoggedEvent } from '../../store/event-log.ts'

/** The events of each revision, in order. */
export function* byRevision(events: readonly LoggedEvent[]): Generator<[bigint, LoggedEvent[]]> {
  let group: LoggedEvent[] = []
  let revision = 0n
  for (const event of events) {
    if (event.kv.modRevision !== revision && group.length > 0) {
      yield [revision, group]
      group = []
    }
    revision = event.kv.modRevision
    group.push(event)
  }
  if (group.length > 0) yield [revision, group]
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
