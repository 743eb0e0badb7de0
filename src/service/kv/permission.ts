import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Caller } from '../auth/caller.ts'

const NO_END = new Uint8Array(0)

/*
 * What a caller must be permitted to do, as etcd asks for it. What a lease's other keys have to say is the store's matter.
 * Each fails with the error that the Caller gives.
 */

export function mustRange(caller: Caller, { key, rangeEnd }: RangeRequest): void {
  caller.mustRead(key, rangeEnd)
}

/** Whoever asks for the previous state reads it. */
export function mustPut(caller: Caller, { key, prevKv }: PutRequest): void {
  caller.mustWrite(key, NO_END)
  if (prevKv) caller.mustRead(key, NO_END)
}

/** Whoever asks for the previous states reads them. */
export function mustDeleteRange(caller: Caller, { key, rangeEnd, prevKv }: DeleteRangeRequest): void {
  caller.mustWrite(key, rangeEnd)
  if (prevKv) caller.mustRead(key, rangeEnd)
}

/** Every compare, and every operation of both branches, whichever is taken; nested ones too. */
export function mustTxn(caller: Caller, { compare, success, failure }: TxnRequest): void {
  for (const { key, rangeEnd } of compare) caller.mustRead(key, rangeEnd)
  for (const { request } of [...success, ...failure]) {
    switch (request.case) {
      case 'requestRange':
        mustRange(caller, request.value)
        break
      case 'requestPut':
        mustPut(caller, request.value)
        break
      case 'requestDeleteRange':
        mustDeleteRange(caller, request.value)
        break
      case 'requestTxn':
        mustTxn(caller, request.value)
        break
      case undefined:
        break
      default:
        request satisfies never
    }
  }
}
