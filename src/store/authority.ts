import type { SqlParameter } from './sql.ts'

/** An interval of keys: an empty `to` is the end of the keyspace. */
export interface KeyInterval {
  readonly from: Uint8Array
  readonly to: Uint8Array
}

/**
 * In whose name the store is asked. It checks here only what it alone can see: that the rights are still those of
 * `authVersion`, and which keys a lease holds. What a request names itself is checked before (src/service/auth).
 */
export interface Authority {
  /** The version of the rights that the caller was authorized under; below 0: whichever it is. */
  readonly authVersion: bigint
  /** The keys that the caller may not read, and may not write. Sorted, and they don't touch. */
  readonly unreadable: readonly KeyInterval[]
  readonly unwritable: readonly KeyInterval[]
}

/** The server itself, which may do everything. */
export const SERVER: Authority = { authVersion: -1n, unreadable: [], unwritable: [] }

/** Intervals as two parameters of type bytea[]. */
export function intervalParameters(intervals: readonly KeyInterval[]): [SqlParameter, SqlParameter] {
  return [intervals.map(({ from }) => from), intervals.map(({ to }) => to)]
}
