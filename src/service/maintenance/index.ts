import type { Maintenance } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import { headerOf } from '../header.ts'
import type { Implementation } from '../services.ts'

/** The Maintenance service, as far as it is there: HashKV. */
export function createMaintenance(store: Store): Partial<Implementation<typeof Maintenance>> {
  return {
    async hashKV(request) {
      const header = headerOf(await store.identity())
      const { head, hash, compactRevision } = await store.history.hash(request.revision)
      return {
        header: header(head.revision),
        hash,
        compactRevision,
        hashRevision: request.revision === 0n ? head.revision : request.revision,
      }
    },
  }
}
