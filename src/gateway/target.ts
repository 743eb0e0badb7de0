/**
 * What a request's target means. etcd's answers depend on details of Go's router that no URL library keeps: which
 * slash was escaped, whether the path was clean, whether it began with the older prefix.
 */
export type Target =
  /** Under /v3/: an RPC's path, in which `%2F` counts as a slash; unknown ones are told so in JSON. */
  | { readonly kind: 'rpc'; readonly path: string }
  /** Anywhere else: a path whose escaped slashes stay escaped; unknown ones are told so in plain text. */
  | { readonly kind: 'other'; readonly path: string }
  /** Under /keys/: what follows, escaped and as unclean as it is, names a key. The query has its question mark. */
  | { readonly kind: 'key'; readonly path: string; readonly query: string }
  /** A path that isn't clean, or lacks its last slash: the client is sent to the right one, with 307. */
  | { readonly kind: 'redirect'; readonly location: string }
  /** A broken escape sequence. */
  | { readonly kind: 'malformed' }

const KEYS = '/keys/'
const PLAIN = /^(?:\/[A-Za-z0-9_-]+)+$/

/** Reads a request target: the path and query of the request line (`/v3/kv/range?x=1`), or `*`. */
export function readTarget(target: string): Target {
  const query = queryOf(target)
  const raw = target.slice(0, target.length - query.length)
  if (raw.startsWith(KEYS)) return { kind: 'key', path: raw.slice(KEYS.length), query }
  if (PLAIN.test(raw) && raw !== '/v3' && raw !== '/keys' && !raw.startsWith('/v3beta/')) {
    return { kind: raw.startsWith('/v3/') ? 'rpc' : 'other', path: raw }
  }
  const decoded = decodeEscapes(raw)
  if (decoded === undefined) return { kind: 'malformed' }
  // The older prefix is replaced in the unescaped path, which forgets how the rest was escaped.
  const path = decoded.startsWith('/v3beta/') ? decoded.replace('/v3beta/', '/v3/') : raw
  const clean = cleanPath(path)
  if (decodeEscapes(clean) === '/v3' || clean === '/keys')
    return { kind: 'redirect', location: `${clean}/${query}` }
  if (clean !== path) return { kind: 'redirect', location: clean + query }
  const segments = path.split('/')
  if (decodeEscapes(segments[1] ?? '') === 'v3' && segments.length > 2) {
    return { kind: 'rpc', path: decodeEscapes(path) ?? path }
  }
  return { kind: 'other', path: segments.map(decodeSegment).join('/') }
}

/** The request target within an absolute URL, as it was written. */
export function targetOf(url: string): string {
  const target = url.replace(/^[^/?]*:\/\/[^/?]*/, '')
  return target.startsWith('/') ? target : `/${target}`
}

/** The query of a request target or URL, with its question mark; empty without one. */
export function queryOf(target: string): string {
  const at = target.indexOf('?')
  return at < 0 ? '' : target.slice(at)
}

/** Go's cleaning: no empty, `.` or `..` segments; a trailing slash stays. */
function cleanPath(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  const joined = `/${kept.join('/')}`
  return path.endsWith('/') && joined !== '/' ? `${joined}/` : joined
}

function decodeEscapes(text: string): string | undefined {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    // decodeURIComponent refuses both broken escapes and bytes that are no UTF-8; only the former are malformed.
    return /%(?![0-9A-Fa-f]{2})/.test(text) ? undefined : text
  }
}

function decodeSegment(segment: string): string {
  const plain = decodeEscapes(segment) ?? segment
  return plain.includes('/') ? segment : plain
}
