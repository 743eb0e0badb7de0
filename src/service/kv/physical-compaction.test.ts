import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { EtcdError, type EtcdErrorName } from '../../etcd/errors.ts'
import { CompactionRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { NEVER } from '../../never.ts'
import type { Access } from '../auth/access.ts'
import type { Caller } from '../auth/caller.ts'
import type { Call } from '../call.ts'
import { createKv } from './index.ts'

/** A compaction that is committed, and whose space can't be freed for that reason. */
function compact(reason: EtcdErrorName): Promise<unknown> {
  const store = {
    identity: async () => ({ clusterId: 1n, memberId: 2n, raftTerm: 2n }),
    compact: async () => 7n,
  }
  const caller = { store, mustBeRoot() {} } as unknown as Caller
  const access = {
    as: (_: Call, work: (caller: Caller) => Promise<unknown>) => work(caller),
  } as unknown as Access
  const sweep = () => Promise.reject(EtcdError.of(reason))
  const kv = createKv({ access, sweepSoon() {}, sweep, txnOpsMax: 128, requestBytesMax: 1024 })
  return kv.compact(create(CompactionRequestSchema, { revision: 5n, physical: true }), { signal: NEVER })
}

it.each(['NoLeader', 'TooManyRequests', 'TimeoutDueToConnectionLost'] as const)(
  'where a compaction is made but its space not freed (%s), nobody is told that nothing happened',
  async (reason) => {
    await expect(compact(reason)).rejects.toMatchObject(EtcdError.of('TimeoutDueToConnectionLost'))
  },
)
