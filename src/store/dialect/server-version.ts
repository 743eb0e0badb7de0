import type { ClientBase } from 'pg'

export interface ServerVersion {
  /** PostgreSQL's, or of the one that the server is made from. */
  readonly major: number
  readonly name: string
}

/** Asks a server for its version. */
export async function serverVersion(client: ClientBase): Promise<ServerVersion> {
  const { rows } = await client.query<ServerVersion>(
    `select current_setting('server_version_num')::int / 10000 as major, current_setting('server_version') as name`,
  )
  const [version] = rows
  if (version === undefined) throw new Error('the server has no version')
  return version
}

/** YugabyteDB says of itself, for example, `15.12-YB-2025.2.0.0-b131`. */
export function isYugabyteDb({ name }: ServerVersion): boolean {
  return name.includes('-YB-')
}
