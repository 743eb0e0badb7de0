/** A Neon database, and whom to ask for it. */
export interface NeonPlace {
  /** `postgres://…`, or the same as `neon://…`. */
  readonly connectionString: string
  /** The URL of a proxy that speaks Neon's protocol, to be asked instead of Neon. */
  readonly proxy?: string | undefined
}

/** The connection string as drivers know it. How it is encrypted isn't the database's to say: HTTP and WebSocket are. */
export function databaseUrl({ connectionString }: NeonPlace): URL {
  const url = new URL(connectionString.replace(/^neon:/, 'postgres:'))
  for (const name of [...url.searchParams.keys()]) {
    if (name.startsWith('ssl') || name === 'channel_binding') url.searchParams.delete(name)
  }
  url.searchParams.set('application_name', 'edgetcd')
  return url
}

/** Where a proxy takes a statement by HTTP. Neon's own address is the driver's business. */
export const statementUrl = (proxy: string): string => new URL('/sql', proxy).href

/** Where a session's bytes go by WebSocket: the path of Neon's driver, on the host of the database. */
export function socketUrl({ hostname }: URL, proxy: string | undefined): string {
  if (proxy === undefined) return `wss://${hostname}/v2`
  const url = new URL('/v2', proxy)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

/** The same database without Neon's pooler, which would share one session among many. */
export function withoutPooler(url: URL): URL {
  const direct = new URL(url)
  direct.hostname = url.hostname.replace(/^([^.]+)-pooler\./, '$1.')
  return direct
}
