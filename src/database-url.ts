/** A connection string fit to be shown: without password and parameters. */
export function withoutPassword(url: string): string {
  // Everything between the scheme and the last @ before the path is who connects; parameters may hold secrets, too.
  const [, scheme = '', user = '', rest = ''] = /^(\w+:\/\/)(?:([^/:@]*)[^/]*@)?([^?]*)/.exec(url) ?? []
  return `${scheme}${user && `${user}@`}${rest}`
}

/**
 * `sslmode` as libpq means it: `require` and `prefer` encrypt without a certificate authority, `verify-ca` and
 * `verify-full` check. The driver's own reading is to verify always, and it asks to be told.
 */
export function withLibpqModes(url: string): string {
  const asksForMode = /[?&]sslmode=/.test(url) && !/[?&]uselibpqcompat=/.test(url)
  return asksForMode ? `${url}&uselibpqcompat=true` : url
}

/** The port of YugabyteDB's SQL, where the URL has none. */
const YUGABYTEDB_PORT = '5433'

/** The URL as PostgreSQL's drivers take it: `yugabytedb://` is known to edgetcd only. */
export function withPostgresScheme(url: string): string {
  const [, authority = '', rest = ''] = /^yugabytedb:\/\/([^/?]*)(.*)$/s.exec(url) ?? []
  if (authority === '') return url
  const port = /:\d+$/.test(authority) ? '' : `:${YUGABYTEDB_PORT}`
  return `postgres://${authority}${port}${rest}`
}
