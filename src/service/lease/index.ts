import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import type { Lease, LeaseKeepAliveRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Leases } from '../../store/leases.ts'
import type { Access } from '../auth/access.ts'
import type { Call } from '../call.ts'
import { headerOf } from '../header.ts'
import type { Implementation } from '../services.ts'

/** How many random ids are tried before the refusal is believed. */
const ID_TRIES_MAX = 3
const NO_END = new Uint8Array(0)

/**
 * The Lease service. A lease's life is the store's matter; here are etcd's rules for what may be asked. Leases belong to
 * nobody, but what is asked of one needs the rights on the keys that it holds.
 */
export function createLease(access: Access, environment: Environment): Implementation<typeof Lease> {
  /** Grants under the asked id, or under a random one when the client left the choice to us. */
  async function grant(leases: Leases, asked: bigint, ttl: bigint) {
    if (asked !== 0n) return { id: asked, head: await leases.grant(asked, ttl) }
    for (let tries = 1; ; tries++) {
      const id = environment.random.int63()
      try {
        return { id, head: await leases.grant(id, ttl) }
      } catch (error) {
        const taken = error instanceof EtcdError && error.is('LeaseExist')
        if (!taken || tries === ID_TRIES_MAX) throw error
      }
    }
  }

  const keepAlive = ({ ID: id }: LeaseKeepAliveRequest, call: Call) =>
    access.as(call, async (caller) => {
      caller.mustBeKnown()
      const { store } = caller
      const header = headerOf(await store.identity())
      const { head, ttl } = await store.leases.keepAlive(id)
      return { header: header(head.revision), ID: id, TTL: ttl }
    })

  return {
    leaseGrant: (request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeKnown()
        if (request.TTL > LIMITS.leaseTtlMax) throw EtcdError.of('LeaseTtlTooLarge')
        const ttl = request.TTL < LIMITS.leaseTtlMin ? LIMITS.leaseTtlMin : request.TTL
        const { store } = caller
        const header = headerOf(await store.identity())
        const { id, head } = await grant(store.leases, request.ID, ttl)
        return { header: header(head.revision), ID: id, TTL: ttl }
      }),

    leaseRevoke: (request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeKnown()
        const { store } = caller
        const header = headerOf(await store.identity())
        return { header: header(await store.revoke(request.ID, call.signal)) }
      }),

    async *leaseKeepAlive(requests, call) {
      for await (const request of requests) yield await keepAlive(request, call)
    },

    leaseTimeToLive: (request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeKnown()
        const { store } = caller
        const header = headerOf(await store.identity())
        const { head, lease } = await store.leases.timeToLive(request.ID, request.keys)
        for (const key of lease?.keys ?? []) caller.mustRead(key, NO_END)
        return {
          header: header(head.revision),
          ID: request.ID,
          ...(lease === undefined
            ? { TTL: -1n }
            : { TTL: lease.ttl, grantedTTL: lease.grantedTtl, keys: lease.keys }),
        }
      }),

    leaseLeases: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeKnown()
        const { store } = caller
        const header = headerOf(await store.identity())
        const { head, ids } = await store.leases.leases()
        return { header: header(head.revision), leases: ids.map((ID) => ({ ID })) }
      }),
  }
}
