import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import type { WatchCreateRequest_FilterType } from '../../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { EventSchema } from '../../../etcd/generated/mvccpb/kv_pb.ts'
import type { LoggedEvent } from '../../../store/event-log.ts'
import type { LongPollAnswer } from '../../services.ts'
import { eventAnswer, isWanted } from '../answers.ts'
import type { KeyRange } from '../key-range.ts'
import { inRange, type MemoryLog } from './memory-log.ts'

/** A watch as the simulation asks for it. */
export interface Wanted {
  readonly range: KeyRange
  /** Relative to the head when the request is made; undefined: from now. */
  readonly start: number | undefined
  readonly filters: WatchCreateRequest_FilterType[]
  readonly prevKv: boolean
  readonly fragment: boolean
}

/** The first revision that is asked for; undefined: the next one. */
export function firstRevision(log: MemoryLog, { start }: Wanted): bigint | undefined {
  if (start === undefined) return undefined
  const revision = log.revision + BigInt(start)
  return revision < 1n ? 1n : revision
}

/** Every event to be seen from `startRevision` on, of all that ever happened. */
export function eventsFor(log: MemoryLog, wanted: Wanted, startRevision: bigint): LoggedEvent[] {
  return log.truth.filter(
    (event) =>
      event.kv.modRevision >= startRevision && inRange(event.kv.key, wanted.range) && isWanted(event, wanted),
  )
}

/** Fails unless `event` shows what was due. A previous value may be missing once it is compacted. */
export function expectSameEvent(
  log: MemoryLog,
  wanted: Wanted,
  event: MessageInitShape<typeof EventSchema>,
  due: LoggedEvent,
): void {
  const gone = due.kv.modRevision - 1n < log.compactRevision
  const whole = eventAnswer(due, wanted)
  expect(event).toEqual(event.prevKv === undefined && gone ? { type: whole.type, kv: whole.kv } : whole)
}

/** Fails unless a long poll's answer is complete through its revision, from where it was asked. */
export function expectTrueAnswer(
  log: MemoryLog,
  asked: { readonly wanted: Wanted; readonly startRevision: bigint; readonly head: bigint },
  answer: LongPollAnswer,
): void {
  expect(answer.revision).toBeLessThanOrEqual(log.revision)
  if ('compactRevision' in answer) {
    expect(asked.startRevision).toBeLessThan(answer.compactRevision)
    return
  }
  const first = answer.events[0]?.kv?.modRevision
  if (asked.startRevision === 0n && first === undefined) return
  if (asked.startRevision === 0n) expect(first).toBeGreaterThan(asked.head)
  const from = asked.startRevision === 0n ? (first ?? 0n) : asked.startRevision
  const due = eventsFor(log, asked.wanted, from).filter(({ kv }) => kv.modRevision <= answer.revision)
  expect(answer.events.length).toBe(due.length)
  for (const [index, event] of answer.events.entries()) {
    const one = due[index]
    if (one !== undefined) expectSameEvent(log, asked.wanted, event, one)
  }
}
