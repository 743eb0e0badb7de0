import { EtcdError } from '../../etcd/errors.ts'
import {
  AlarmRequest_AlarmAction as AlarmAction,
  type Maintenance,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { keysOf } from '../../store/snapshot.ts'
import type { Store } from '../../store/store.ts'
import type { Access } from '../auth/access.ts'
import type { Caller } from '../auth/caller.ts'
import { headerOf } from '../header.ts'
import type { Health, Implementation } from '../services.ts'
import { answerAlarm } from './alarm.ts'
import { answerDowngrade } from './downgrade.ts'
import { snapshotPieces } from './snapshot.ts'
import { answerStatus } from './status.ts'
import { wholeHash } from './whole-hash.ts'

export interface MaintenanceOptions {
  readonly access: Access
  /** etcd's --quota-backend-bytes; undefined: none. */
  readonly quotaBytes: bigint | undefined
}

/** The Maintenance service. Looking is for every user, the rest for root. */
export function createMaintenance({
  access,
  quotaBytes,
}: MaintenanceOptions): Implementation<typeof Maintenance> {
  let rewriting: Promise<void> | undefined

  /** One at a time, which all who ask meanwhile share. */
  const rewrite = (store: Store) => {
    rewriting ??= store.space.rewrite().finally(() => {
      rewriting = undefined
    })
    return rewriting
  }

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
        return await answerStatus(caller.store, quotaBytes)
      }),

    downgrade: (request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        return await answerDowngrade(caller.store, request)
      }),

    /** As in etcd the store is written anew, without what is free in it, and nobody can use it meanwhile. */
    defragment: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        await caller.store.head()
        await rewrite(caller.store)
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

    /** Each part is read for who was let in at the start, as long as that is somebody with the role root. */
    async *snapshot(_request, call) {
      let before: Caller | undefined
      const asRoot = <T>(read: (store: Store) => Promise<T>) =>
        access.as(
          call,
          async (caller) => {
            before = caller
            caller.mustBeRoot()
            return await read(caller.store)
          },
          before,
        )
      yield* snapshotPieces({
        identity: () => asRoot((store) => store.identity()),
        size: () => asRoot(({ snapshots }) => snapshots.size()),
        keys: (revision) => keysOf((from) => asRoot(({ snapshots }) => snapshots.part(from, revision))),
      })
    },

    /** The only member leads already, and there is none else to take over. */
    moveLeader: ({ targetID }, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        await caller.confirm()
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
