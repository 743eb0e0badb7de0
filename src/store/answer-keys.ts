import type {
  DeleteRangeRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'

/** More than any answer has. */
const UNBOUNDED = Number.POSITIVE_INFINITY

/** How many keys' values the answer to a transaction may have in it, whichever branch is taken. */
export function txnAnswerKeys({ success, failure }: TxnRequest): number {
  return Math.max(branchKeys(success), branchKeys(failure))
}

/** The same for a delete. */
export function deleteAnswerKeys({ rangeEnd, prevKv }: DeleteRangeRequest): number {
  if (!prevKv) return 0
  return rangeEnd.length === 0 ? 1 : UNBOUNDED
}

function branchKeys(operations: readonly RequestOp[]): number {
  return operations.reduce((sum, operation) => sum + operationKeys(operation), 0)
}

function operationKeys({ request }: RequestOp): number {
  switch (request.case) {
    case 'requestRange':
      return rangeKeys(request.value)
    case 'requestPut':
      return Number(request.value.prevKv)
    case 'requestDeleteRange':
      return deleteAnswerKeys(request.value)
    case 'requestTxn':
      return txnAnswerKeys(request.value)
    case undefined:
      return 0
    default:
      return request satisfies never
  }
}

function rangeKeys({ rangeEnd, limit, countOnly, keysOnly }: RangeRequest): number {
  if (countOnly || keysOnly) return 0
  if (rangeEnd.length === 0) return 1
  return limit > 0n ? Number(limit) : UNBOUNDED
}
