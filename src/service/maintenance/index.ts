import { EtcdError } from '../../etcd/errors.ts'
import type { Maintenance } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import { headerOf } from '../header.ts'
import type { Health, Implementation } from '../services.ts'
import { answerAlarm } from './alarm.ts'
import { answerDowngrade } from './downgrade.ts'
import { snapshotPieces } from './snapshot.ts'
import { answerStatus } from './status.ts'
import { wholeHash } from './whole-hash.ts'

/** The Maintenance service. */
export function createMaintenance(store: Store): Implementation<typeof Maintenance> {
  return {
    alarm: (request) => answerAlarm(store, request),
    status: () => answerStatus(store),
    downgrade: (request) => answerDowngrade(store, request),

    /** etcd gives the free pages of its file back. PostgreSQL's autovacuum does that all the time: nothing is left to do. */
    async defragment() {
      return {}
    },

    async hash() {
      const header = headerOf(await store.identity())
      const { head, hash } = await wholeHash(store)
      return { header: header(head.revision), hash }
    },

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

    async *snapshot() {
      yield* snapshotPieces(store)
    },

    /** The only member leads already, and there is none else to take over. */
    async moveLeader({ targetID }) {
      const { memberId } = await store.identity()
      if (targetID !== memberId) throw EtcdError.of('BadLeaderTransferee')
      return {}
    },
  }
}

/** The health check that the gateway asks for: one read of the store, which gives the alarms too. */
export function createHealth(store: Store): Health {
  return async () => {
    const { alarms } = await store.alarms.list(0)
    return alarms.map(({ memberId, alarm }) => ({ memberID: memberId, alarm }))
  }
}
