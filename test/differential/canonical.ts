import type { Answer, Json, JsonObject } from '../support/gateway.ts'

/** Present and of its own choice on every server. */
const IDENTITY = new Set(['cluster_id', 'member_id', 'raft_term'])
/** Lists whose order etcd doesn't promise. */
const SETS = new Set(['leases', 'keys'])

/**
 * An answer with all that may rightly differ between two servers put aside: who they are, the seconds that a lease
 * has left, the order of sets, and the `error` that edgetcd adds for old clients.
 */
export function canonicalAnswer({ status, body }: Answer): JsonObject {
  const { error, ...rest } = body
  const kept = error === undefined || error === body.message ? rest : body
  return { status, body: canonical(kept) }
}

export function canonical(value: Json, field = ''): Json {
  if (IDENTITY.has(field)) return '<identity>'
  if (field === 'TTL' && typeof value === 'string' && value !== '-1') return '<seconds>'
  if (Array.isArray(value)) {
    const elements = value.map((element: Json) => canonical(element))
    return SETS.has(field)
      ? elements.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      : elements
  }
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(fields.map(([name, inner]) => [name, canonical(inner, name)]))
}
