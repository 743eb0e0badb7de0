import type { Identity, KeyValue } from '../../store/types.ts'
import type { EventAnswer, EventsAnswer } from './answers.ts'

/** Sizes in protobuf's binary form, in bytes. Every field here has a number below 16, so a tag of one byte. */
const TAG = 1

/** The size of a whole WatchResponse that carries these events. */
export function answerSize(answer: EventsAnswer): number {
  let size = answerSizeWithoutEvents(answer)
  for (const event of answer.events) size += eventFieldSize(event)
  return size
}

/** The part of a WatchResponse's size that doesn't depend on its events. */
export function answerSizeWithoutEvents(answer: Omit<EventsAnswer, 'events'>): number {
  const fragment = answer.fragment ? TAG + 1 : 0
  return messageField(headerSize(answer.header)) + intField(answer.watchId) + fragment
}

/** What one event adds to a WatchResponse. */
export function eventFieldSize(event: EventAnswer): number {
  const prevKv = event.prevKv === undefined ? 0 : messageField(keyValueSize(event.prevKv))
  return messageField(intField(BigInt(event.type)) + messageField(keyValueSize(event.kv)) + prevKv)
}

function headerSize(header: Identity & { readonly revision: bigint }): number {
  return (
    intField(header.clusterId) +
    intField(header.memberId) +
    intField(header.revision) +
    intField(header.raftTerm)
  )
}

function keyValueSize(kv: KeyValue): number {
  return (
    bytesField(kv.key) +
    intField(kv.createRevision) +
    intField(kv.modRevision) +
    intField(kv.version) +
    bytesField(kv.value) +
    intField(kv.lease)
  )
}

function messageField(size: number): number {
  return TAG + varintSize(BigInt(size)) + size
}

/** proto3 leaves default values out. */
function bytesField(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : messageField(bytes.length)
}

function intField(value: bigint): number {
  return value === 0n ? 0 : TAG + varintSize(value)
}

/** Seven bits a byte; negative numbers are written as 64 bits. */
function varintSize(value: bigint): number {
  let size = 1
  for (let rest = BigInt.asUintN(64, value) >> 7n; rest > 0n; rest >>= 7n) size++
  return size
}
