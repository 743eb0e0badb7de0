import { EtcdError } from '../../etcd/errors.ts'
import type { Lock } from '../../etcd/generated/v3lockpb/lock_pb.ts'
import { Client } from '../coordination/client.ts'
import { Contest } from '../coordination/contest.ts'
import type { Foundation } from '../coordination/foundation.ts'
import { losingCodes } from '../coordination/lost-code.ts'
import type { Implementation } from '../services.ts'

const EMPTY = new Uint8Array(0)

/**
 * The Lock service: the lock of a name is a key under it, which ends with its lease. Locking with the lease that holds
 * the lock succeeds at once. Errors have etcd's texts, but no code (see losingCodes).
 */
export function createLock(foundation: Foundation): Implementation<typeof Lock> {
  return {
    lock: losingCodes((request, call) =>
      foundation.calls.run(async () => {
        const client = new Client(foundation, call)
        const lease = await client.leaseOf(request.lease)
        const contest = new Contest(foundation, request.name, call)
        const entry = await contest.enter(lease, EMPTY)
        const header = await contest.keepPlace(entry, async () => {
          if (entry.isFirst) return entry.header
          await contest.waitForTurn(entry)
          const own = await client.range({ key: entry.key, keysOnly: true })
          // The lease ended meanwhile. As in etcd, the waiter hears of it only when its turn has come.
          if (own.kvs.length === 0) throw EtcdError.of('LockSessionExpired')
          return own.header
        })
        return { header, key: entry.key }
      }),
    ),

    /** Deletes a key, whatever key it is; there may be none. */
    unlock: losingCodes(async ({ key }, call) => {
      const { header } = await new Client(foundation, call).deleteRange({ key })
      return { header }
    }),
  }
}
