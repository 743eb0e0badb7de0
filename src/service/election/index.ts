import { EtcdError } from '../../etcd/errors.ts'
import type { Election, LeaderKey } from '../../etcd/generated/v3electionpb/election_pb.ts'
import { compareBytes } from '../../store/select.ts'
import { Client, isCreatedAt } from '../coordination/client.ts'
import { Contest, firstOf, prefixOf } from '../coordination/contest.ts'
import type { Foundation } from '../coordination/foundation.ts'
import { losingCodes, withoutCode } from '../coordination/lost-code.ts'
import type { Implementation } from '../services.ts'
import { observeLeaders } from './observe.ts'

/**
 * The Election service: a candidate's key holds what it proclaims and ends with its lease, and the candidate whose key
 * was created first leads. Errors have etcd's texts, but no code (see losingCodes).
 */
export function createElection(foundation: Foundation): Implementation<typeof Election> {
  return {
    /**
     * Waits until the candidate leads. The header is of the moment when it entered; a lease that ended meanwhile isn't
     * noticed: both as in etcd. A candidate with the same lease takes the place that this one has, with the new value.
     */
    campaign: losingCodes(({ name, lease: named, value }, call) =>
      foundation.calls.run(async () => {
        const client = new Client(foundation, call)
        const lease = await client.leaseOf(named)
        const contest = new Contest(foundation, name, call)
        const entry = await contest.enter(lease, value)
        await contest.keepPlace(entry, async () => {
          const { key, revision: rev } = entry
          if (!entry.isNew && compareBytes(entry.value, value) !== 0) {
            await proclaim(client, { key, rev, lease }, value)
          }
          await contest.waitForTurn(entry)
        })
        return { header: entry.header, leader: { name, key: entry.key, rev: entry.revision, lease } }
      }),
    ),

    /** Gives the leader's key a new value, and the lease that it names. */
    proclaim: losingCodes(async ({ leader, value }, call) => {
      if (leader === undefined) throw EtcdError.of('MissingLeaderKey')
      const client = new Client(foundation, call)
      const lease = await client.leaseOf(leader.lease)
      return { header: await proclaim(client, { ...leader, lease }, value) }
    }),

    /** The leader as it is now. */
    leader: losingCodes(async ({ name }, call) => {
      const { header, kvs } = await new Client(foundation, call).range(firstOf(prefixOf(name)))
      const [kv] = kvs
      if (kv === undefined) throw EtcdError.of('ElectionNoLeader')
      return { header, kv }
    }),

    async *observe(requests, call) {
      try {
        for await (const { name } of requests) yield* observeLeaders(foundation, name, call)
      } catch (error) {
        throw withoutCode(error)
      }
    },

    /** Gives up a leadership, or a candidature. One that has ended already is no error. */
    resign: losingCodes(async ({ leader }, call) => {
      if (leader === undefined) throw EtcdError.of('MissingLeaderKey')
      const { key, rev } = leader
      const { header } = await new Client(foundation, call).txn({
        compare: [isCreatedAt(key, rev)],
        success: [{ request: { case: 'requestDeleteRange', value: { key } } }],
      })
      return { header }
    }),
  }
}

/** @throws EtcdError ElectionNotLeader */
async function proclaim(
  client: Client,
  { key, rev, lease }: Pick<LeaderKey, 'key' | 'rev' | 'lease'>,
  value: Uint8Array,
) {
  const { header, succeeded } = await client.txn({
    compare: [isCreatedAt(key, rev)],
    success: [{ request: { case: 'requestPut', value: { key, value, lease } } }],
  })
  if (!succeeded) throw EtcdError.of('ElectionNotLeader')
  return header
}
