import { EtcdError } from '../../etcd/errors.ts'
import {
  AlarmRequest_AlarmAction as AlarmAction,
  type Maintenance,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import type { Access } from '../auth/access.ts'
import { headerOf } from '../header.ts'
import type { Health, Implementation } from '../services.ts'
import { answerAlarm } from './alarm.ts'
import { answerDowngrade } from './downgrade.ts'
import { snapshotPieces } from './snapshot.ts'
import { answerStatus } from './status.ts'
import { wholeHash } from './whole-hash.ts'

/** The Maintenance service. Looking is for every user, the rest for root. */
export function createMaintenance(access: Access): Implementation<typeof Maintenance> {
  return {
    alarm: (request, call) =>
      access.as(call, async (caller) => {
        if (request.action === AlarmAction.GET) caller.mustBeKnown()
        else caller.mustBeRoot()
        return await answerAlarm(caller.store, request)
      }),

    status: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeKnown()
        return await answerStatus(caller.store)
      }),

    downgrade: (request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        return await answerDowngrade(caller.store, request)
      }),

    /** etcd gives the free pages of its file back. PostgreSQL's autovacuum does that all the time: nothing is left to do. */
    defragment: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        return {}
      }),

    hash: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const { store } = caller
        const header = headerOf(await store.identity())
        const { head, hash } = await wholeHash(store)
        return { header: header(head.revision), hash }
      }),

    hashKV: (request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const { store } = caller
        const header = headerOf(await store.identity())
        const { head, hash, compactRevision } = await store.history.hash(request.revision)
        return {
          header: header(head.revision),
          hash,
          compactRevision,
          hashRevision: request.revision === 0n ? head.revision : request.revision,
        }
      }),

    /** Once it has begun it fails when the rights change: what was sent can't be taken back and begun anew. */
    async *snapshot(_request, call) {
      const { store } = await access.as(call, async (caller) => {
        caller.mustBeRoot()
        await caller.store.head()
        return caller
      })
      yield* snapshotPieces(store)
    },

    /** The only member leads already, and there is none else to take over. */
    moveLeader: ({ targetID }, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const { memberId } = await caller.store.identity()
        if (targetID !== memberId) throw EtcdError.of('BadLeaderTransferee')
        return {}
      }),
  }
}

/** The health check that the gateway asks for: one read of the store, which gives the alarms too. */
export function createHealth(store: Store): Health {
  return async () => {
    const { alarms } = await store.alarms.list(0)
    return alarms.map(({ memberId, alarm }) => ({ memberID: memberId, alarm }))
  }
}
