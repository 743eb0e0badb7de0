import { EtcdError } from '../../etcd/errors.ts'
import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'

/**
 * etcd's checks of a request's shape, in etcd's order: what can be said of a request without looking at the store.
 * Each throws the EtcdError that etcd answers with.
 */

function checkKeyGiven(key: Uint8Array): void {
  if (key.length === 0) throw EtcdError.of('EmptyKey')
}

export function checkRange(request: RangeRequest): void {
  checkKeyGiven(request.key)
  // An open enum: a number that this version doesn't know has no name.
  if (SortOrder[request.sortOrder] === undefined || SortTarget[request.sortTarget] === undefined) {
    throw EtcdError.of('InvalidSortOption')
  }
}

export function checkPut(request: PutRequest): void {
  checkKeyGiven(request.key)
  if (request.ignoreValue && request.value.length > 0) throw EtcdError.of('ValueProvided')
  if (request.ignoreLease && request.lease !== 0n) throw EtcdError.of('LeaseProvided')
}

export function checkDeleteRange(request: DeleteRangeRequest): void {
  checkKeyGiven(request.key)
}

/** Checks a transaction and all that is nested in it, but for duplicate keys (see duplicate-keys.ts). */
export function checkTxn(request: TxnRequest, opsMax: number): void {
  const ops = Math.max(request.compare.length, request.success.length, request.failure.length)
  if (ops > opsMax) throw EtcdError.of('TooManyOps')
  for (const compare of request.compare) checkKeyGiven(compare.key)
  for (const op of request.success) checkOp(op, opsMax - ops)
  for (const op of request.failure) checkOp(op, opsMax - ops)
}

function checkOp({ request }: RequestOp, opsMax: number): void {
  switch (request.case) {
    case 'requestRange':
      checkRange(request.value)
      break
    case 'requestPut':
      checkPut(request.value)
      break
    case 'requestDeleteRange':
      checkDeleteRange(request.value)
      break
    case 'requestTxn':
      checkTxn(request.value, opsMax)
      break
    case undefined:
      throw EtcdError.of('KeyNotFound')
    default:
      request satisfies never
  }
}

/** Whether a transaction can't change anything, as etcd decides it: nothing but ranges in both branches. */
export function isReadOnly(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every((op) => op.request.case === 'requestRange')
}
