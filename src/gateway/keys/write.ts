import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { type KvClient, revisionOf } from '../../service/kv/client.ts'
import { type Answer, empty } from '../answer.ts'
import { type Conditions, etagOf, isConditional } from './conditions.ts'
import { writeGuarded } from './guarded-write.ts'
import { headersOf, revisionHeader } from './headers.ts'
import { notFound, preconditionFailed } from './refusals.ts'

export interface KeyPut {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** 0n is none. */
  readonly lease: bigint
}

/**
 * PUT of a key: 201 when it is made, 204 when it is replaced. Fails as KV.Txn does. Who may write the key and not read it
 * may put it without conditions, and isn't told whether it was there.
 */
export async function putKey(put: KeyPut, conditions: Conditions, kv: KvClient): Promise<Answer> {
  try {
    return await putAndRead(put, conditions, kv)
  } catch (thrown) {
    const isDenied = thrown instanceof EtcdError && thrown.code === GrpcCode.PermissionDenied
    if (!isDenied || isConditional(conditions)) throw thrown
    const revision = revisionOf(await kv.put(put))
    return empty(204, { ETag: etagOf(revision), ...revisionHeader(revision) })
  }
}

/** Whether the key was made is seen by reading it back, in the same transaction. */
async function putAndRead(put: KeyPut, conditions: Conditions, kv: KvClient): Promise<Answer> {
  const { key } = put
  const putIt = { request: { case: 'requestPut', value: put } } as const
  const readIt = { request: { case: 'requestRange', value: { key, keysOnly: true } } } as const
  const outcome = await writeGuarded(key, conditions, [putIt, readIt], kv)
  const { revision } = outcome
  if ('refusedFor' in outcome) return preconditionFailed(revision, outcome.refusedFor)
  const read = outcome.written[1]?.response
  const [written] = read?.case === 'responseRange' ? read.value.kvs : []
  if (written === undefined) throw new Error('a key that was put is not there')
  return empty(written.version === 1n ? 201 : 204, { ...headersOf(written), ...revisionHeader(revision) })
}

/** DELETE of a key: 204, or 404 when there is none, whatever the conditions. Fails as KV.Txn does. */
export async function deleteKey(key: Uint8Array, conditions: Conditions, kv: KvClient): Promise<Answer> {
  if (!isConditional(conditions)) {
    const answer = await kv.deleteRange({ key })
    return deleted(answer.deleted, revisionOf(answer))
  }
  const deleteIt = { request: { case: 'requestDeleteRange', value: { key } } } as const
  const outcome = await writeGuarded(key, conditions, [deleteIt], kv)
  const { revision } = outcome
  if ('written' in outcome) {
    const removal = outcome.written[0]?.response
    return deleted(removal?.case === 'responseDeleteRange' ? removal.value.deleted : 0n, revision)
  }
  const { refusedFor } = outcome
  return refusedFor === undefined ? notFound(revision) : preconditionFailed(revision, refusedFor)
}

function deleted(count: bigint, revision: bigint): Answer {
  return count === 0n ? notFound(revision) : empty(204, revisionHeader(revision))
}
