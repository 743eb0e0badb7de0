import type { KeyValue } from '../../etcd/generated/mvccpb/kv_pb.ts'
import { NO_STORE } from '../answer.ts'
import { etagOf } from './conditions.ts'

export type HeaderFields = Readonly<Record<string, string>>

/**
 * On every answer under /keys/: anybody may have put anything there, and no browser may take it for a page or a script of
 * this server's.
 */
export const SAFE_HEADERS: HeaderFields = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; sandbox",
}

/** What is known of a key beside its value; its lease only if it has one. */
export function headersOf({ createRevision, modRevision, version, lease }: KeyValue): HeaderFields {
  return {
    ETag: etagOf(modRevision),
    'Edgetcd-Create-Revision': String(createRevision),
    'Edgetcd-Mod-Revision': String(modRevision),
    'Edgetcd-Version': String(version),
    ...(lease !== 0n && { 'Edgetcd-Lease': String(lease) }),
  }
}

/** The revision of the store that an answer shows: a watch from the next one on misses nothing. */
export function revisionHeader(revision: bigint): HeaderFields {
  return { 'Edgetcd-Revision': String(revision) }
}

/** How long a client of its own may keep what it read at a fixed revision: it stays true while the store does. */
const FIXED_MAX_AGE_SECONDS = 3600

/**
 * For what was read. What is read at a revision never changes; still no cache that others use may keep it, since nobody
 * knows who is let through to this server.
 */
export function cacheHeader(isFixed: boolean, hasToken: boolean): HeaderFields {
  if (hasToken) return { 'Cache-Control': 'private, no-store' }
  return isFixed ? { 'Cache-Control': `private, max-age=${FIXED_MAX_AGE_SECONDS}` } : NO_STORE
}
