import { bytesToString } from '../../byte-string.ts'
import type { KeyValue } from '../../etcd/generated/mvccpb/kv_pb.ts'
import { type KvClient, revisionOf } from '../../service/kv/client.ts'
import { rangeOfPrefix } from '../../service/watch/key-range.ts'
import { successorOf } from '../../store/interval.ts'
import { type Answer, json } from '../answer.ts'
import { decodeUtf8 } from '../json/characters.ts'
import type { ListQuery } from './address.ts'
import { etagOf } from './conditions.ts'
import { cacheHeader, revisionHeader } from './headers.ts'
import { encodePercent, keyUrl } from './percent.ts'

/**
 * The keys that begin with a prefix, in the order of their bytes, a page at a time. Every page shows the revision of the
 * first: its URL is in each answer that isn't the last. Fails as KV.Range does.
 */
export async function listKeys(
  prefix: Uint8Array,
  revision: bigint,
  { limit, after }: ListQuery,
  kv: KvClient,
): Promise<Answer> {
  const isFixed = revision > 0n
  const request = { ...rangeBehind(prefix, after), revision, limit: BigInt(limit), keysOnly: true }
  const answer = await kv.range(request)
  const shown = isFixed ? revision : revisionOf(answer)
  const last = answer.kvs.at(-1)
  const next =
    answer.more && last !== undefined
      ? keyUrl(prefix, ['prefix', `revision=${shown}`, `limit=${limit}`, `after=${encodePercent(last.key)}`])
      : undefined
  const body = JSON.stringify({ revision: String(shown), keys: answer.kvs.map(entryOf), next })
  return json(200, body, {
    ...revisionHeader(shown),
    ...cacheHeader(isFixed, kv.isPrivate),
    ...(next !== undefined && { Link: `<${next}>; rel="next"` }),
  })
}

/** What begins with the prefix and comes behind `after`, as KV.Range has intervals. */
function rangeBehind(prefix: Uint8Array, after: Uint8Array | undefined) {
  const range = rangeOfPrefix(prefix)
  const behind = after && successorOf(after)
  const skips = behind !== undefined && bytesToString(behind) > bytesToString(range.key)
  return skips ? { ...range, key: behind } : range
}

/** `key` is left out where it is no text; int64 are strings, as in etcd's JSON. */
function entryOf({ key, createRevision, modRevision, version, lease }: KeyValue) {
  return {
    key: decodeUtf8(key),
    path: keyUrl(key),
    etag: etagOf(modRevision),
    create_revision: String(createRevision),
    mod_revision: String(modRevision),
    version: String(version),
    lease: lease === 0n ? undefined : String(lease),
  }
}
