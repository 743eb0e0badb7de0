import { bytesToString } from '../../byte-string.ts'
import { EtcdError } from '../../etcd/errors.ts'
import type { RequestOp, TxnRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { compareBytes } from '../../store/select.ts'
import { KeySet, keyInterval } from '../auth/intervals.ts'

const NO_END = new Uint8Array(0)

/**
 * etcd's rule that a transaction may not put a key twice, nor put a key that it deletes, in branches that run together.
 *
 * Deletes are intervals as they are written: one that ends at the zero byte (to the end of the keyspace) is an interval
 * without keys to this rule, so a put of a key that it deletes is let through. That is etcd's, and CheckGone's reason.
 *
 * A nested transaction may hold tens of thousands of operations, and anybody may send one: nothing here takes time that
 * grows with the product of their numbers.
 */

/** Keys that are deleted, to which more are added again and again. */
class Deletes {
  /** Each has more than twice the intervals of the next: few to look into, and each interval was merged but a few times. */
  readonly #sets: KeySet[] = []

  add(keys: KeySet): void {
    let added = keys
    for (
      let last = this.#sets.at(-1);
      last !== undefined && last.size <= 2 * added.size;
      last = this.#sets.at(-1)
    ) {
      this.#sets.pop()
      added = last.or(added)
    }
    if (added.size > 0) this.#sets.push(added)
  }

  addAll(others: Deletes): void {
    for (const keys of others.#sets) this.add(keys)
  }

  has(key: Uint8Array): boolean {
    const interval = keyInterval(key, NO_END)
    return this.#sets.some((set) => set.contains(interval))
  }
}

interface Touched {
  /** Keys that are put, as strings that are equal when the keys are. */
  readonly puts: Map<string, Uint8Array>
  readonly deletes: Deletes
}

function addPut(touched: Touched, name: string, key: Uint8Array, mayShare?: Map<string, Uint8Array>): void {
  const taken = touched.puts.has(name) && mayShare?.has(name) !== true
  if (taken || touched.deletes.has(key)) throw EtcdError.of('DuplicateKey')
  touched.puts.set(name, key)
}

/** The keys that the operations themselves delete. */
function deletedBy(ops: readonly RequestOp[]): KeySet {
  const intervals = ops.flatMap(({ request }) => {
    if (request.case !== 'requestDeleteRange') return []
    const { key, rangeEnd } = request.value
    const holdsNone = rangeEnd.length > 0 && compareBytes(key, rangeEnd) >= 0
    return holdsNone ? [] : [keyInterval(key, rangeEnd)]
  })
  return KeySet.of(intervals)
}

function touchedBy(ops: readonly RequestOp[]): Touched {
  const touched: Touched = { puts: new Map(), deletes: new Deletes() }
  touched.deletes.add(deletedBy(ops))
  for (const { request } of ops) {
    if (request.case === 'requestTxn') addNested(touched, request.value)
  }
  for (const { request } of ops) {
    if (request.case === 'requestPut') addPut(touched, bytesToString(request.value.key), request.value.key)
  }
  return touched
}

/** The branches of a nested transaction exclude each other, so they may share a key. */
function addNested(touched: Touched, txn: TxnRequest): void {
  const success = touchedBy(txn.success)
  const failure = touchedBy(txn.failure)
  for (const [name, key] of success.puts) addPut(touched, name, key)
  for (const [name, key] of failure.puts) addPut(touched, name, key, success.puts)
  touched.deletes.addAll(success.deletes)
  touched.deletes.addAll(failure.deletes)
}

/** @throws EtcdError DuplicateKey */
export function checkDuplicateKeys(request: TxnRequest): void {
  touchedBy(request.success)
  touchedBy(request.failure)
}
