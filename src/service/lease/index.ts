import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import type { Lease, LeaseKeepAliveRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Store } from '../../store/store.ts'
import { headerOf } from '../header.ts'
import type { Implementation } from '../services.ts'

/** How many random ids are tried before the refusal is believed. */
const ID_TRIES_MAX = 3

/** The Lease service. A lease's life is the store's matter; here are etcd's rules for what may be asked. */
export function createLease(store: Store, environment: Environment): Implementation<typeof Lease> {
  /** Grants under the asked id, or under a random one when the client left the choice to us. */
  async function grant(asked: bigint, ttl: bigint) {
    if (asked !== 0n) return { id: asked, head: await store.leases.grant(asked, ttl) }
    for (let tries = 1; ; tries++) {
      const id = environment.random.int63()
      try {
        return { id, head: await store.leases.grant(id, ttl) }
      } catch (error) {
        const taken = error instanceof EtcdError && error.is('LeaseExist')
        if (!taken || tries === ID_TRIES_MAX) throw error
      }
    }
  }

  async function keepAlive({ ID: id }: LeaseKeepAliveRequest) {
    const header = headerOf(await store.identity())
    const { head, ttl } = await store.leases.keepAlive(id)
    return { header: header(head.revision), ID: id, TTL: ttl }
  }

  return {
    async leaseGrant(request) {
      if (request.TTL > LIMITS.leaseTtlMax) throw EtcdError.of('LeaseTtlTooLarge')
      const ttl = request.TTL < LIMITS.leaseTtlMin ? LIMITS.leaseTtlMin : request.TTL
      const header = headerOf(await store.identity())
      const { id, head } = await grant(request.ID, ttl)
      return { header: header(head.revision), ID: id, TTL: ttl }
    },

    async leaseRevoke(request, { signal }) {
      const header = headerOf(await store.identity())
      return { header: header(await store.revoke(request.ID, signal)) }
    },

    async *leaseKeepAlive(requests) {
      for await (const request of requests) yield await keepAlive(request)
    },

    async leaseTimeToLive(request) {
      const header = headerOf(await store.identity())
      const { head, lease } = await store.leases.timeToLive(request.ID, request.keys)
      return {
        header: header(head.revision),
        ID: request.ID,
        ...(lease === undefined
          ? { TTL: -1n }
          : { TTL: lease.ttl, grantedTTL: lease.grantedTtl, keys: lease.keys }),
      }
    },

    async leaseLeases() {
      const header = headerOf(await store.identity())
      const { head, ids } = await store.leases.leases()
      return { header: header(head.revision), leases: ids.map((ID) => ({ ID })) }
    },
  }
}
