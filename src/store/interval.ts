import type { SqlType } from './sql.ts'

/**
 * An interval of keys as the SQL functions take it: `to` null is the one key `from`, empty is from `from` to the end of
 * the keyspace, anything else is [from, to).
 */
export interface Interval {
  readonly from: Uint8Array
  readonly to: Uint8Array | null
}

/** The end of an interval that has none. */
export const TO_THE_END = new Uint8Array(0)

/** The interval that etcd's `key` and `range_end` mean: an absent end is one key, a single zero byte is the end. */
export function intervalOf(key: Uint8Array, rangeEnd: Uint8Array): Interval {
  if (rangeEnd.length === 0) return { from: key, to: null }
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from: key, to: TO_THE_END }
  return { from: key, to: rangeEnd }
}

/** The key right after this one. */
export function successorOf(key: Uint8Array): Uint8Array {
  const successor = new Uint8Array(key.length + 1)
  successor.set(key)
  return successor
}

/** An interval in the text of a statement. */
export interface IntervalCondition {
  /** Names the text: intervals of one shape have the same. */
  readonly shape: 'one' | 'between' | 'from'
  readonly condition: string
  readonly types: readonly SqlType[]
  readonly parameters: readonly Uint8Array[]
}

/**
 * The condition that `column` lies in the interval, on parameters from number `first` on. Each shape has a text of its
 * own: an open or single-key interval as a condition on a parameter would turn the bound of an index scan into a filter.
 */
export function conditionOf({ from, to }: Interval, column: string, first: number): IntervalCondition {
  if (to === null) {
    return { shape: 'one', condition: `${column} = $${first}`, types: ['bytea'], parameters: [from] }
  }
  if (to.length === 0) {
    return { shape: 'from', condition: `${column} >= $${first}`, types: ['bytea'], parameters: [from] }
  }
  return {
    shape: 'between',
    condition: `${column} >= $${first} and ${column} < $${first + 1}`,
    types: ['bytea', 'bytea'],
    parameters: [from, to],
  }
}
