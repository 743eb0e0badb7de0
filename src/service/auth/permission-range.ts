import { compareBytes } from '../../store/select.ts'

/**
 * Whether a permission may be on this interval: the key is given, and the end is empty (the one key), a zero byte (to
 * the end of the keyspace) or above the key.
 */
export function isPermissionRange(key: Uint8Array, rangeEnd: Uint8Array): boolean {
  if (key.length === 0) return false
  if (rangeEnd.length === 0 || (rangeEnd.length === 1 && rangeEnd[0] === 0)) return true
  return compareBytes(key, rangeEnd) < 0
}
