import { crc32c } from '../../store/crc32c.ts'
import type { Store } from '../../store/store.ts'
import type { Head } from '../../store/types.ts'

/**
 * A hash of all that the store holds: HashKV's of the whole history, gone on with over the ids of the leases in
 * ascending order. The same store has the same hash; etcd's is another, for it is taken over the pages of its file.
 */
export async function wholeHash(
  store: Pick<Store, 'history' | 'leases'>,
): Promise<{ head: Head; hash: number }> {
  const { head, hash } = await store.history.hash(0n)
  const { ids } = await store.leases.leases()
  return { head, hash: crc32c(int64s(ids), hash) }
}

function int64s(numbers: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(numbers).sort().buffer)
}
