import { bytesToString, stringToBytes } from '../../byte-string.ts'
import { successorOf } from '../../store/interval.ts'

/** Keys as etcd's requests name them: an empty `rangeEnd` is the one key, a zero byte the end of the keyspace. */
export interface KeyRange {
  readonly key: Uint8Array
  readonly rangeEnd: Uint8Array
}

const SMALLEST_KEY = new Uint8Array([0])
const TO_THE_END = new Uint8Array([0])

/** The range that a watch asks for. etcd reads an empty key as the smallest one, a zero byte. */
export function rangeOf(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  return { key: key.length === 0 ? SMALLEST_KEY : key, rangeEnd }
}

/** Whether no key can lie in the range, which etcd refuses to watch. */
export function isEmptyRange(range: KeyRange): boolean {
  if (isSingleKey(range) || reachesTheEnd(range)) return false
  return bytesToString(range.key) >= bytesToString(range.rangeEnd)
}

export function isSingleKey(range: KeyRange): boolean {
  return range.rangeEnd.length === 0
}

export function reachesTheEnd(range: KeyRange): boolean {
  return range.rangeEnd.length === 1 && range.rangeEnd[0] === 0
}

/** Tells whether a key lies in the range. */
export function matcherOf(range: KeyRange): (key: Uint8Array) => boolean {
  const first = bytesToString(range.key)
  if (isSingleKey(range)) return (key) => bytesToString(key) === first
  if (reachesTheEnd(range)) return (key) => bytesToString(key) >= first
  const end = bytesToString(range.rangeEnd)
  return (bytes) => {
    const key = bytesToString(bytes)
    return key >= first && key < end
  }
}

/** Where the keys that begin with `prefix` end, or undefined when that is the end of the keyspace. */
export function prefixEnd(prefix: string): string | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix.charCodeAt(last)
    if (byte < 0xff) return prefix.slice(0, last) + String.fromCharCode(byte + 1)
  }
  return undefined
}

/** The keys that begin with `prefix`: all keys for an empty one. */
export function rangeOfPrefix(prefix: Uint8Array): KeyRange {
  const end = prefixEnd(bytesToString(prefix))
  const rangeEnd = end === undefined ? TO_THE_END : stringToBytes(end)
  return rangeOf(prefix, rangeEnd)
}

/** The smallest range that has all of these in it; undefined when there are none. */
export function hullOf(ranges: Iterable<KeyRange>): KeyRange | undefined {
  let hull: KeyRange | undefined
  for (const range of ranges) hull = hull === undefined ? range : union(hull, range)
  return hull
}

function union(a: KeyRange, b: KeyRange): KeyRange {
  if (isSingleKey(a) && isSingleKey(b) && bytesToString(a.key) === bytesToString(b.key)) return a
  const key = bytesToString(a.key) <= bytesToString(b.key) ? a.key : b.key
  if (reachesTheEnd(a) || reachesTheEnd(b)) return { key, rangeEnd: TO_THE_END }
  const [endOfA, endOfB] = [endOf(a), endOf(b)]
  return { key, rangeEnd: bytesToString(endOfA) >= bytesToString(endOfB) ? endOfA : endOfB }
}

/** The first key behind the range; a single key's is the key with a zero byte added. */
function endOf(range: KeyRange): Uint8Array {
  return isSingleKey(range) ? successorOf(range.key) : range.rangeEnd
}
