/** A write under HTTP's preconditions, as one transaction: what was compared is what is written over. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type CompareSchema,
  type RequestOpSchema,
  type ResponseOp,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KeyValue } from '../../etcd/generated/mvccpb/kv_pb.ts'
import { type KvClient, revisionOf } from '../../service/kv/client.ts'
import type { Conditions } from './conditions.ts'

type Compare = MessageInitShape<typeof CompareSchema>
type Operation = MessageInitShape<typeof RequestOpSchema>

/** What the write's operations answered, or the key without its value as it is, for which they weren't done. */
export type Outcome =
  | { readonly revision: bigint; readonly written: readonly ResponseOp[] }
  | { readonly revision: bigint; readonly refusedFor: KeyValue | undefined }

/**
 * Does `operations` if the key meets the conditions, and else reads it: one transaction. Its compares are joined by "and",
 * and the tags in If-Match by "or": the key isn't at the first, isn't at the second, and so on, or else it is written.
 * Fails as KV.Txn does: with TooManyOps for more tags than a transaction may have operations.
 */
export async function writeGuarded(
  key: Uint8Array,
  conditions: Conditions,
  operations: Operation[],
  kv: Pick<KvClient, 'txn'>,
): Promise<Outcome> {
  const read: Operation[] = [{ request: { case: 'requestRange', value: { key, keysOnly: true } } }]
  const { compare, writesIf } = guardOf(key, conditions)
  const [success, failure] = writesIf ? [operations, read] : [read, operations]
  const answer = await kv.txn({ compare, success, failure })
  const revision = revisionOf(answer)
  if (answer.succeeded === writesIf) return { revision, written: answer.responses }
  const response = answer.responses[0]?.response
  return { revision, refusedFor: response?.case === 'responseRange' ? response.value.kvs[0] : undefined }
}

/** What to compare, and whether to write if it holds or if it doesn't. */
function guardOf(
  key: Uint8Array,
  { ifMatch, ifNoneMatch }: Conditions,
): { compare: Compare[]; writesIf: boolean } {
  const isNotAt = (revisions: Iterable<bigint>) =>
    Array.from(revisions, (revision) => modRevisionIs(key, Result.NOT_EQUAL, revision))
  if (ifMatch !== undefined && ifMatch !== '*') {
    const isExcluded = (revision: bigint) => ifNoneMatch === '*' || ifNoneMatch?.has(revision) === true
    const revisions = [...ifMatch].filter((revision) => !isExcluded(revision))
    return { compare: isNotAt(revisions), writesIf: false }
  }
  const exists = ifMatch === '*' ? [modRevisionIs(key, Result.GREATER, 0n)] : []
  const others = ifNoneMatch === '*' ? [modRevisionIs(key, Result.EQUAL, 0n)] : isNotAt(ifNoneMatch ?? [])
  return { compare: [...exists, ...others], writesIf: true }
}

/** A key that doesn't exist has the mod_revision 0. */
function modRevisionIs(key: Uint8Array, result: Result, value: bigint): Compare {
  return { key, target: Target.MOD, result, targetUnion: { case: 'modRevision', value } }
}
