import {
  DeleteRangeRequestSchema,
  type KV,
  PutRequestSchema,
  TxnRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import { headerOf } from '../header.ts'
import { checkRequestSize } from '../request-size.ts'
import type { Implementation } from '../services.ts'
import { checkDeleteRange, checkPut, checkRange, checkTxn, isReadOnly } from './check.ts'
import { checkDuplicateKeys } from './duplicate-keys.ts'
import { checkKeyLength, checkTxnKeyLengths } from './key-length.ts'

export interface KvOptions {
  readonly store: Store
  /** Has the space of a compaction freed later, where the process lives long enough; else the trigger does it. */
  sweepSoon(): void
  /** etcd's --max-txn-ops and --max-request-bytes. */
  readonly txnOpsMax: number
  readonly requestBytesMax: number
}

/** The KV service: shape checks in etcd's order, then one call of the store. */
export function createKv({
  store,
  sweepSoon,
  txnOpsMax,
  requestBytesMax,
}: KvOptions): Implementation<typeof KV> {
  return {
    async range(request) {
      checkRange(request)
      const header = headerOf(await store.identity())
      const { head, kvs, count, more } = await store.range(request)
      return { header: header(head.revision), kvs, count, more }
    },

    async put(request, { signal }) {
      checkPut(request)
      checkRequestSize(PutRequestSchema, request, request.key.length + request.value.length, requestBytesMax)
      checkKeyLength(request.key)
      const header = headerOf(await store.identity())
      const { revision, ...answer } = await store.put(request, signal)
      return { header: header(revision), ...answer }
    },

    async deleteRange(request, { signal }) {
      checkDeleteRange(request)
      checkRequestSize(
        DeleteRangeRequestSchema,
        request,
        request.key.length + request.rangeEnd.length,
        requestBytesMax,
      )
      const header = headerOf(await store.identity())
      const { revision, ...answer } = await store.deleteRange(request, signal)
      return { header: header(revision), ...answer }
    },

    async txn(request, { signal }) {
      checkTxn(request, txnOpsMax)
      checkDuplicateKeys(request)
      const readOnly = isReadOnly(request)
      const bytes = readOnly ? 0 : checkRequestSize(TxnRequestSchema, request, undefined, requestBytesMax)
      checkTxnKeyLengths(request)
      const header = headerOf(await store.identity())
      const { head, succeeded, responses } = readOnly
        ? await store.inspect(request)
        : await store.txn(request, bytes, signal)
      return { header: header(head.revision), succeeded, responses }
    },

    async compact(request, { signal }) {
      const header = headerOf(await store.identity())
      const revision = await store.compact(request, signal)
      if (request.physical) await store.compaction.sweep()
      else sweepSoon()
      return { header: header(revision) }
    },
  }
}
