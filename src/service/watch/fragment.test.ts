import { create, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WatchResponseSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { Event_EventType } from '../../etcd/generated/mvccpb/kv_pb.ts'
import type { EventAnswer, EventsAnswer } from './answers.ts'
import { fragmentsOf } from './fragment.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const keyValue = fc.record({
  key: fc.uint8Array({ maxLength: 200 }),
  createRevision: int64,
  modRevision: int64,
  version: int64,
  value: fc.uint8Array({ maxLength: 400 }),
  lease: int64,
})
const event: fc.Arbitrary<EventAnswer> = fc.record(
  { type: fc.constantFrom(Event_EventType.PUT, Event_EventType.DELETE), kv: keyValue, prevKv: keyValue },
  { requiredKeys: ['type', 'kv'] },
)
const answer: fc.Arbitrary<EventsAnswer> = fc.record({
  header: fc.record({ clusterId: uint64, memberId: uint64, raftTerm: uint64, revision: int64 }),
  watchId: int64,
  fragment: fc.boolean(),
  events: fc.array(event, { maxLength: 12 }),
})

const binarySize = (message: EventsAnswer) =>
  toBinary(WatchResponseSchema, create(WatchResponseSchema, message)).length

describe('fragments', () => {
  test('etcd: parts stay below the size, or have one event; together they are the whole', () => {
    fc.assert(
      fc.property(answer, fc.integer({ min: 100, max: 3000 }), (asked, sizeMax) => {
        const whole = { ...asked, fragment: false }
        const parts = [...fragmentsOf(whole, sizeMax)]
        expect(parts.flatMap(({ events }) => events)).toEqual(whole.events)
        expect(parts.map(({ fragment }) => fragment)).toEqual(parts.map((_, i) => i < parts.length - 1))
        for (const part of parts) {
          expect(part.header).toEqual(whole.header)
          expect(part.watchId).toBe(whole.watchId)
          if (part.events.length > 1) expect(binarySize(part)).toBeLessThan(sizeMax)
        }
        if (binarySize(whole) < sizeMax) expect(parts.length).toBe(1)
      }),
    )
  })

  test('each part is as full as it may be', () => {
    const kv = { key: new Uint8Array(1), createRevision: 1n, modRevision: 1n, version: 1n, lease: 0n }
    const events = Array.from({ length: 6 }, () => ({
      type: Event_EventType.PUT,
      kv: { ...kv, value: new Uint8Array(400_000) },
    }))
    const header = { clusterId: 1n, memberId: 1n, raftTerm: 2n, revision: 7n }
    const parts = [...fragmentsOf({ header, watchId: 0n, fragment: false, events }, 2 * 1024 * 1024)]
    expect(parts.map((part) => part.events.length)).toEqual([5, 1])
  })
})
