import { EtcdError } from '../../etcd/errors.ts'
import type { RequestOp, TxnRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { compareBytes } from '../../store/select.ts'

/**
 * etcd's rule that a transaction may not put a key twice, nor put a key that it deletes, in branches that run together.
 *
 * Deletes are intervals as they are written: one that ends at the zero byte (to the end of the keyspace) is an interval
 * without keys to this rule, so a put of a key that it deletes is let through. That is etcd's, and CheckGone's reason.
 */

interface Deletes {
  readonly key: Uint8Array
  readonly rangeEnd: Uint8Array
}

interface Touched {
  /** Keys that are put, as strings that are equal when the keys are. */
  readonly puts: Map<string, Uint8Array>
  readonly deletes: Deletes[]
}

const nameOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

function covers({ key, rangeEnd }: Deletes, put: Uint8Array): boolean {
  const fromKey = compareBytes(put, key)
  if (rangeEnd.length === 0) return fromKey === 0
  return fromKey >= 0 && compareBytes(put, rangeEnd) < 0
}

function addPut(touched: Touched, name: string, key: Uint8Array, mayShare?: Map<string, Uint8Array>): void {
  const taken = touched.puts.has(name) && mayShare?.has(name) !== true
  if (taken || touched.deletes.some((deletes) => covers(deletes, key))) throw EtcdError.of('DuplicateKey')
  touched.puts.set(name, key)
}

function touchedBy(ops: readonly RequestOp[]): Touched {
  const touched: Touched = { puts: new Map(), deletes: [] }
  for (const { request } of ops) {
    if (request.case === 'requestDeleteRange') touched.deletes.push(request.value)
  }
  for (const { request } of ops) {
    if (request.case === 'requestTxn') addNested(touched, request.value)
  }
  for (const { request } of ops) {
    if (request.case === 'requestPut') addPut(touched, nameOf(request.value.key), request.value.key)
  }
  return touched
}

/** The branches of a nested transaction exclude each other, so they may share a key. */
function addNested(touched: Touched, txn: TxnRequest): void {
  const success = touchedBy(txn.success)
  const failure = touchedBy(txn.failure)
  for (const [name, key] of success.puts) addPut(touched, name, key)
  for (const [name, key] of failure.puts) addPut(touched, name, key, success.puts)
  touched.deletes.push(...success.deletes, ...failure.deletes)
}

/** @throws EtcdError DuplicateKey */
export function checkDuplicateKeys(request: TxnRequest): void {
  touchedBy(request.success)
  touchedBy(request.failure)
}
