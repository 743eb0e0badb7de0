import type { Log } from '../../environment.ts'
import type { Lease, Watch } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { AskedOfKv } from '../kv/client.ts'
import type { Implementation, LongPoll } from '../services.ts'
import type { RunningCalls } from './running-calls.ts'

/**
 * What lock and election are built on. etcd's own are clients of its other services, and so are these: who calls is
 * authorized by what the keys underneath ask for.
 */
export interface Foundation {
  readonly kv: AskedOfKv
  readonly lease: Pick<Implementation<typeof Lease>, 'leaseGrant'>
  readonly watch: Implementation<typeof Watch>['watch']
  readonly longPoll: LongPoll
  /** The calls that have a key to take back when they fail. */
  readonly calls: RunningCalls
  readonly log: Log
}
