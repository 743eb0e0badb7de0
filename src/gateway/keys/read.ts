import { type KvClient, revisionOf } from '../../service/kv/client.ts'
import { type Answer, empty } from '../answer.ts'
import type { ReadAddress } from './address.ts'
import { type Conditions, judgeRead } from './conditions.ts'
import { cacheHeader, headersOf, revisionHeader } from './headers.ts'
import { notFound, preconditionFailed } from './refusals.ts'

/** GET and HEAD of a key: its value's bytes. Fails as KV.Range does. */
export async function readKey(
  { key, revision }: ReadAddress,
  conditions: Conditions,
  kv: KvClient,
): Promise<Answer> {
  const isFixed = revision > 0n
  const answer = await kv.range({ key, revision })
  const shown = isFixed ? revision : revisionOf(answer)
  const [found] = answer.kvs
  // RFC 9110, 13.2.1: preconditions are for what would otherwise succeed.
  if (found === undefined) return notFound(shown)
  const headers = {
    ...headersOf(found),
    ...revisionHeader(shown),
    ...cacheHeader(isFixed, kv.isPrivate),
  }
  const verdict = judgeRead(conditions, found.modRevision)
  switch (verdict) {
    case 'failed':
      return preconditionFailed(shown, found)
    case 'not modified':
      return empty(304, headers)
    case 'send':
      return {
        status: 200,
        headers: { 'Content-Type': 'application/octet-stream', ...headers },
        body: found.value,
      }
    default:
      return verdict satisfies never
  }
}
