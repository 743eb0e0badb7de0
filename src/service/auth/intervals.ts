import type { KeyInterval } from '../../store/authority.ts'
import { successorOf } from '../../store/interval.ts'
import { compareBytes } from '../../store/select.ts'

const END = new Uint8Array(0)
const EVERYTHING: KeyInterval = { from: END, to: END }

/** Compares two upper ends; the empty one is the end of the keyspace. */
function compareEnds(a: Uint8Array, b: Uint8Array): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length
  return compareBytes(a, b)
}

function isBelow(key: Uint8Array, end: Uint8Array): boolean {
  return end.length === 0 || compareBytes(key, end) < 0
}

/** The interval that etcd's key and range_end mean: an absent end is the one key, a zero byte the end of the keyspace. */
export function keyInterval(key: Uint8Array, rangeEnd: Uint8Array): KeyInterval {
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from: key, to: END }
  if (rangeEnd.length > 0) return { from: key, to: rangeEnd }
  return { from: key, to: successorOf(key) }
}

/** A set of keys, as intervals that are sorted and don't touch. */
export class KeySet {
  static readonly all = new KeySet([EVERYTHING])

  readonly #intervals: readonly KeyInterval[]

  private constructor(intervals: readonly KeyInterval[]) {
    this.#intervals = intervals
  }

  /** The keys that lie in at least one of the intervals. */
  static of(intervals: readonly KeyInterval[]): KeySet {
    const merged: { from: Uint8Array; to: Uint8Array }[] = []
    const held = intervals.filter(({ from, to }) => isBelow(from, to))
    for (const { from, to } of held.toSorted((a, b) => compareBytes(a.from, b.from))) {
      const last = merged.at(-1)
      if (last === undefined || (last.to.length > 0 && compareBytes(last.to, from) < 0))
        merged.push({ from, to })
      else if (compareEnds(to, last.to) > 0) last.to = to
    }
    return new KeySet(merged)
  }

  /** How many intervals it takes to say it. */
  get size(): number {
    return this.#intervals.length
  }

  /** The keys that are in either set. */
  or(other: KeySet): KeySet {
    return KeySet.of([...this.#intervals, ...other.#intervals])
  }

  /** Whether every key of the interval is in the set. One that holds no key belongs to where it begins, as in etcd. */
  contains({ from, to }: KeyInterval): boolean {
    const home = this.#intervals[this.#lastFrom(from)]
    return home !== undefined && isBelow(from, home.to) && compareEnds(to, home.to) <= 0
  }

  /** The intervals between. */
  gaps(): KeyInterval[] {
    const gaps: KeyInterval[] = []
    let from: Uint8Array = END
    for (const interval of this.#intervals) {
      if (compareBytes(from, interval.from) < 0) gaps.push({ from, to: interval.from })
      if (interval.to.length === 0) return gaps
      from = interval.to
    }
    return [...gaps, { from, to: END }]
  }

  /** The place of the last interval that begins at or before the key; -1: none does. */
  #lastFrom(key: Uint8Array): number {
    let low = 0
    let high = this.#intervals.length
    while (low < high) {
      const middle = (low + high) >> 1
      const interval = this.#intervals[middle]
      if (interval !== undefined && compareBytes(interval.from, key) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
