import { EtcdError } from '../../etcd/errors.ts'
import {
  DeleteRangeRequestSchema,
  PutRequestSchema,
  type RangeRequest,
  TxnRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Access } from '../auth/access.ts'
import type { Caller } from '../auth/caller.ts'
import { headerOf } from '../header.ts'
import { checkRequestSize } from '../request-size.ts'
import type { KvService, RangeInChunks } from '../services.ts'
import { checkDeleteRange, checkPut, checkRange, checkTxn, isReadOnly } from './check.ts'
import { checkDuplicateKeys } from './duplicate-keys.ts'
import { checkKeyLength, checkTxnKeyLengths } from './key-length.ts'
import { mustDeleteRange, mustPut, mustRange, mustTxn } from './permission.ts'
import { rangeChunks, rangeStreamOf } from './range-stream.ts'

export interface KvOptions {
  readonly access: Access
  /** Has the space of a compaction freed later, where the process lives long enough; else the trigger does it. */
  sweepSoon(): void
  /** Frees the space of a compaction, and resolves when that is done. */
  sweep(): Promise<void>
  /** etcd's --max-txn-ops and --max-request-bytes. */
  readonly txnOpsMax: number
  readonly requestBytesMax: number
}

/** The KV service: shape checks in etcd's order, then the caller's permission, then one call of the store. */
export function createKv({ access, sweepSoon, sweep, txnOpsMax, requestBytesMax }: KvOptions): KvService {
  const rangeInChunks: RangeInChunks = (request, call) => {
    // Whoever was let in at the start may go on when the token has ended, as long as they may read.
    let before: Caller | undefined
    const asReader = <T>(read: (caller: Caller) => Promise<T>) => {
      const work = (caller: Caller) => {
        before = caller
        return read(caller)
      }
      return access.as(call, work, before)
    }
    return rangeChunks(request, {
      range: (part) => asReader((caller) => readRange(caller, part)),
      part: (part) => asReader((caller) => readPart(caller, part)),
    })
  }
  return {
    rangeInChunks,
    rangeStream: rangeStreamOf(rangeInChunks),

    async range(request, call) {
      checkRange(request)
      return await access.as(call, (caller) => readRange(caller, request))
    },

    async put(request, call) {
      checkPut(request)
      const payloadBytes = request.key.length + request.value.length
      return await access.as(call, async (caller) => {
        checkRequestSize(PutRequestSchema, request, payloadBytes, caller.proposer, requestBytesMax)
        checkKeyLength(request.key)
        mustPut(caller, request)
        const { store } = caller
        const header = headerOf(await store.identity())
        const { revision, ...answer } = await store.put(request, call.signal)
        return { header: header(revision), ...answer }
      })
    },

    async deleteRange(request, call) {
      checkDeleteRange(request)
      const payloadBytes = request.key.length + request.rangeEnd.length
      return await access.as(call, async (caller) => {
        checkRequestSize(DeleteRangeRequestSchema, request, payloadBytes, caller.proposer, requestBytesMax)
        mustDeleteRange(caller, request)
        const { store } = caller
        const header = headerOf(await store.identity())
        const { revision, ...answer } = await store.deleteRange(request, call.signal)
        return { header: header(revision), ...answer }
      })
    },

    async txn(request, call) {
      checkTxn(request, txnOpsMax)
      checkDuplicateKeys(request)
      const readOnly = isReadOnly(request)
      return await access.as(call, async (caller) => {
        const bytes = readOnly
          ? 0
          : checkRequestSize(TxnRequestSchema, request, undefined, caller.proposer, requestBytesMax)
        checkTxnKeyLengths(request)
        mustTxn(caller, request)
        const { store } = caller
        const header = headerOf(await store.identity())
        const { head, succeeded, responses } = readOnly
          ? await store.inspect(request)
          : await store.txn(request, bytes, call.signal)
        return { header: header(head.revision), succeeded, responses }
      })
    },

    compact: (request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const { store } = caller
        const header = headerOf(await store.identity())
        const revision = await store.compact(request, call.signal)
        if (!request.physical) sweepSoon()
        else await sweep().catch(notWhole)
        return { header: header(revision) }
      }),
  }
}

/** By then the store is compacted, whatever the failure says of the statement that it is of. */
function notWhole(failure: unknown): never {
  throw EtcdError.of('TimeoutDueToConnectionLost', failure)
}

async function readRange(caller: Caller, request: RangeRequest) {
  mustRange(caller, request)
  const { store } = caller
  const header = headerOf(await store.identity())
  const { head, kvs, count, more } = await store.range(request)
  return { header: header(head.revision), kvs, count, more }
}

async function readPart(caller: Caller, request: RangeRequest) {
  mustRange(caller, request)
  const { store } = caller
  const header = headerOf(await store.identity())
  const { head, ...part } = await store.rangePart(request)
  return { header: header(head.revision), ...part }
}
