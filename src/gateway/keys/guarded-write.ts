/** A write under HTTP's preconditions, as one transaction: what was compared is what is written over. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type CompareSchema,
  type RequestOpSchema,
  type ResponseOp,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnRequestSchema,
  type TxnResponse,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KeyValue } from '../../etcd/generated/mvccpb/kv_pb.ts'
import type { Conditions } from './conditions.ts'

type Txn = MessageInitShape<typeof TxnRequestSchema>
type Compare = MessageInitShape<typeof CompareSchema>
export type Operation = MessageInitShape<typeof RequestOpSchema>

/** What the write's operations answered, or the key without its value as it is, for which they weren't done. */
export type Outcome =
  | { readonly written: readonly ResponseOp[] }
  | { readonly refusedFor: KeyValue | undefined }

/** No key is at this revision. */
const NOWHERE = -1n

/**
 * The transaction that does `operations` if the key meets the conditions, and else reads it. The compares of a
 * transaction are joined by "and". The tags in If-Match are joined by "or": each has a transaction of its own, in the
 * else branch of the one before.
 */
export function guardedTxn(key: Uint8Array, conditions: Conditions, operations: Operation[]): Txn {
  const read: Operation = { request: { case: 'requestRange', value: { key, keysOnly: true } } }
  const [first = [], ...others] = alternatives(key, conditions)
  const otherwise = others.reduceRight<Operation>(
    (failure, compare) => ({
      request: { case: 'requestTxn', value: { compare, success: operations, failure: [failure] } },
    }),
    read,
  )
  return { compare: first, success: operations, failure: [otherwise] }
}

/** What has to hold of the key: all compares of one of the lists. */
function alternatives(key: Uint8Array, { ifMatch, ifNoneMatch }: Conditions): Compare[][] {
  const isExcluded = (revision: bigint) => ifNoneMatch === '*' || ifNoneMatch?.has(revision) === true
  if (ifMatch !== undefined && ifMatch !== '*') {
    const revisions = [...ifMatch].filter((revision) => !isExcluded(revision))
    if (revisions.length === 0) revisions.push(NOWHERE)
    return revisions.map((revision) => [modRevisionIs(key, Result.EQUAL, revision)])
  }
  const exists = ifMatch === '*' ? [modRevisionIs(key, Result.GREATER, 0n)] : []
  if (ifNoneMatch === '*') return [[...exists, modRevisionIs(key, Result.EQUAL, 0n)]]
  const others = [...(ifNoneMatch ?? [])].map((revision) => modRevisionIs(key, Result.NOT_EQUAL, revision))
  return [[...exists, ...others]]
}

/** A key that doesn't exist has the mod_revision 0. */
function modRevisionIs(key: Uint8Array, result: Result, value: bigint): Compare {
  return { key, target: Target.MOD, result, targetUnion: { case: 'modRevision', value } }
}

/** What came of a guarded transaction. */
export function outcomeOf({ succeeded, responses }: TxnResponse): Outcome {
  if (succeeded) return { written: responses }
  const refusal = responses[0]?.response
  switch (refusal?.case) {
    case 'responseTxn':
      return outcomeOf(refusal.value)
    case 'responseRange':
      return { refusedFor: refusal.value.kvs[0] }
    default:
      throw new Error('a guarded transaction neither wrote nor read')
  }
}
