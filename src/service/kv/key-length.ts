import { EtcdError } from '../../etcd/errors.ts'
import type { TxnRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'

/**
 * Refuses to put a key that no index can hold: the one place where etcd accepts what edgetcd doesn't (docs/adr/0002).
 * Reading or deleting such a key is fine, it never exists.
 * @throws EtcdError RequestTooLarge
 */
export function checkKeyLength(key: Uint8Array): void {
  if (key.length > LIMITS.keyBytesMax) throw EtcdError.of('RequestTooLarge')
}

/** checkKeyLength for every put in a transaction, nested ones too. */
export function checkTxnKeyLengths(request: TxnRequest): void {
  for (const { request: op } of [...request.success, ...request.failure]) {
    if (op.case === 'requestPut') checkKeyLength(op.value.key)
    else if (op.case === 'requestTxn') checkTxnKeyLengths(op.value)
  }
}
