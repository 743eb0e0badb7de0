/**
 * If-Match and If-None-Match (RFC 9110, 13.1). A key's entity tag is its mod_revision in double quotes: no two values of a
 * key ever share one. The other preconditions go by dates, which keys don't have, and are ignored as the RFC says.
 */
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import type { HeaderReader } from '../../rpc/request.ts'

/** The mod_revisions that a header names; `*` for any. */
export type Tags = '*' | ReadonlySet<bigint>

/** What the headers ask for; undefined where there is no such header. */
export interface Conditions {
  readonly ifMatch: Tags | undefined
  readonly ifNoneMatch: Tags | undefined
}

export function isConditional({ ifMatch, ifNoneMatch }: Conditions): boolean {
  return ifMatch !== undefined || ifNoneMatch !== undefined
}

export function etagOf(modRevision: bigint): string {
  return `"${modRevision}"`
}

/** Reads a request's preconditions. Fails with InvalidArgument when one isn't `*` or a list of entity tags. */
export function readConditions(header: HeaderReader): Conditions {
  return {
    ifMatch: readTags('If-Match', header('if-match'), 'strong'),
    ifNoneMatch: readTags('If-None-Match', header('if-none-match'), 'weak'),
  }
}

const LIST = /^[ \t,]*(?:(?:W\/)?"[^"]*"(?:[ \t]*(?:,[ \t,]*|$)))*$/
const TAG = /(W\/)?"([^"]*)"/g

/** A tag that no key can have (weak in a strong comparison, no revision at all) names nothing. */
function readTags(name: string, value: string | undefined, compared: 'strong' | 'weak'): Tags | undefined {
  if (value === undefined) return undefined
  if (value.trim() === '*') return '*'
  if (!LIST.test(value)) {
    const message = `invalid ${name} header: ${JSON.stringify(value)} (a tag is written in double quotes)`
    throw new EtcdError(GrpcCode.InvalidArgument, message)
  }
  const revisions = new Set<bigint>()
  for (const [, weak, opaque = ''] of value.matchAll(TAG)) {
    if (weak !== undefined && compared === 'strong') continue
    const revision = /^[1-9]\d{0,18}$/.test(opaque) ? BigInt(opaque) : undefined
    if (revision !== undefined && BigInt.asIntN(64, revision) === revision) revisions.add(revision)
  }
  return revisions
}

/** What the preconditions say of a key that exists, for a read: in the RFC's order, If-Match first. */
export function judgeRead(
  { ifMatch, ifNoneMatch }: Conditions,
  modRevision: bigint,
): 'send' | 'not modified' | 'failed' {
  const isAmong = (tags: Tags) => tags === '*' || tags.has(modRevision)
  if (ifMatch !== undefined && !isAmong(ifMatch)) return 'failed'
  if (ifNoneMatch !== undefined && isAmong(ifNoneMatch)) return 'not modified'
  return 'send'
}
