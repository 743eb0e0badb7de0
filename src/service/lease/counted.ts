import type { Lease } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { counted } from '../../observe/counted.ts'
import type { LeaseCounters } from '../../observe/instruments.ts'
import type { Implementation } from '../services.ts'

type LeaseService = Implementation<typeof Lease>

/** The same service, and the leases that it granted, renewed and revoked are counted. */
export function countLeases(lease: LeaseService, { granted, renewed, revoked }: LeaseCounters): LeaseService {
  return {
    ...lease,
    leaseGrant: counted(lease.leaseGrant, granted),
    leaseRevoke: counted(lease.leaseRevoke, revoked),
    async *leaseKeepAlive(requests, call) {
      for await (const answer of lease.leaseKeepAlive(requests, call)) {
        if (answer.TTL !== undefined && answer.TTL > 0n) renewed.add(1)
        yield answer
      }
    },
  }
}
