import { bytesToString } from '../../byte-string.ts'
import { isSingleKey, type KeyRange, prefixEnd, reachesTheEnd } from './key-range.ts'

interface Interval<T> {
  readonly from: string
  /** Undefined: the end of the keyspace. */
  readonly to: string | undefined
  readonly members: Set<T>
}

/**
 * Who watches a key. Nearly every watch is on one key or on a prefix, and those are found by hashing, however many
 * there are: looking a key up costs one probe for the key, one for each distinct length of prefix being watched, and
 * a comparison for each distinct range of any other shape. Adding and removing cost O(1), or O(lengths) for a prefix.
 */
export class RangeIndex<T extends { readonly range: KeyRange }> {
  private readonly members = new Set<T>()
  private readonly byKey = new Map<string, Set<T>>()
  private readonly byPrefix = new Map<string, Set<T>>()
  /** How many watched prefixes have this length. */
  private readonly prefixLengths = new Map<number, number>()
  private readonly byInterval = new Map<string, Interval<T>>()

  get size(): number {
    return this.members.size
  }

  has(member: T): boolean {
    return this.members.has(member)
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.members.values()
  }

  add(member: T): void {
    this.members.add(member)
    const key = bytesToString(member.range.key)
    switch (shapeOf(member.range)) {
      case 'key':
        setIn(this.byKey, key).add(member)
        return
      case 'prefix':
        if (!this.byPrefix.has(key)) this.countLength(key.length, 1)
        setIn(this.byPrefix, key).add(member)
        return
      case 'interval':
        this.intervalOf(member.range).members.add(member)
        return
    }
  }

  delete(member: T): boolean {
    if (!this.members.delete(member)) return false
    const key = bytesToString(member.range.key)
    switch (shapeOf(member.range)) {
      case 'key':
        takeFrom(this.byKey, key, member)
        break
      case 'prefix':
        if (takeFrom(this.byPrefix, key, member)) this.countLength(key.length, -1)
        break
      case 'interval': {
        const interval = this.intervalOf(member.range)
        interval.members.delete(member)
        if (interval.members.size === 0) this.byInterval.delete(nameOf(interval))
        break
      }
    }
    return true
  }

  /** Calls `visit` once for each member whose range has `key` in it. */
  forEachOn(key: Uint8Array, visit: (member: T) => void): void {
    const name = bytesToString(key)
    this.byKey.get(name)?.forEach(visit)
    for (const length of this.prefixLengths.keys()) {
      if (length <= name.length) this.byPrefix.get(name.slice(0, length))?.forEach(visit)
    }
    for (const { from, to, members } of this.byInterval.values()) {
      if (from <= name && (to === undefined || name < to)) members.forEach(visit)
    }
  }

  private countLength(length: number, change: number): void {
    const count = (this.prefixLengths.get(length) ?? 0) + change
    if (count === 0) this.prefixLengths.delete(length)
    else this.prefixLengths.set(length, count)
  }

  private intervalOf(range: KeyRange): Interval<T> {
    const from = bytesToString(range.key)
    const to = reachesTheEnd(range) ? undefined : bytesToString(range.rangeEnd)
    const fresh: Interval<T> = { from, to, members: new Set() }
    const known = this.byInterval.get(nameOf(fresh))
    if (known !== undefined) return known
    this.byInterval.set(nameOf(fresh), fresh)
    return fresh
  }
}

function shapeOf(range: KeyRange): 'key' | 'prefix' | 'interval' {
  if (isSingleKey(range)) return 'key'
  return prefixEnd(bytesToString(range.key)) === bytesToString(range.rangeEnd) ? 'prefix' : 'interval'
}

/** Unambiguous, as the length of `from` stands in front. */
function nameOf(interval: { readonly from: string; readonly to: string | undefined }): string {
  return `${interval.from.length}:${interval.from}${interval.to ?? ''}`
}

function setIn<T>(map: Map<string, Set<T>>, key: string): Set<T> {
  const known = map.get(key)
  if (known !== undefined) return known
  const fresh = new Set<T>()
  map.set(key, fresh)
  return fresh
}

/** Whether the set that `member` was taken from is gone with it. */
function takeFrom<T>(map: Map<string, Set<T>>, key: string, member: T): boolean {
  const set = map.get(key)
  if (set === undefined) return false
  set.delete(member)
  return set.size === 0 && map.delete(key)
}
