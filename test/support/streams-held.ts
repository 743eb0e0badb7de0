import type { GatewayServer } from './etcd.ts'
import type { Postgres } from './postgres.ts'

/** What a server on Node counts under this name at `/metrics`. */
export async function gaugeOf({ gateway }: GatewayServer, name: string): Promise<number> {
  const metrics = await (await fetch(new URL('/metrics', gateway.url))).text()
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)?.[1])
}

/** The connections of Workers' requests, of which each has one; a server on Node gives its own a name. */
export async function workerSessions(postgres: Postgres): Promise<number> {
  const { rowCount } = await postgres.query(
    `select from pg_stat_activity
     where backend_type = 'client backend' and application_name <> 'edgetcd' and pid <> pg_backend_pid()`,
  )
  return rowCount ?? 0
}
