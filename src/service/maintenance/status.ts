import type { MessageInitShape } from '@bufbuild/protobuf'
import type { StatusResponseSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import { ETCD_CLUSTER_VERSION, ETCD_VERSION } from '../../version.ts'
import { headerOf } from '../header.ts'
import { describeAlarm } from './alarm.ts'

/**
 * How the member is doing. It leads itself; where etcd counts the entries of its Raft log, this counts revisions, which
 * never fall either. Sizes are those of the tables and indexes, in bytes; without a quota it is -1.
 */
export async function answerStatus(
  store: Store,
  quotaBytes: bigint | undefined,
): Promise<MessageInitShape<typeof StatusResponseSchema>> {
  const identity = await store.identity()
  const { head, size, sizeInUse, alarms } = await store.status.read()
  return {
    header: headerOf(identity)(head.revision),
    version: ETCD_VERSION,
    dbSize: size,
    dbSizeInUse: sizeInUse,
    dbSizeQuota: quotaBytes ?? -1n,
    leader: identity.memberId,
    raftTerm: identity.raftTerm,
    raftIndex: head.revision,
    raftAppliedIndex: head.revision,
    storageVersion: ETCD_CLUSTER_VERSION,
    downgradeInfo: {},
    errors: alarms.map(describeAlarm),
  }
}
