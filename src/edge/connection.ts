import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { openNeon } from '../store/neon/index.ts'
import type { NeonPlace } from '../store/neon/place.ts'
import { openNeonSession } from '../store/neon/session.ts'
import { openSingleConnection } from '../store/postgres/single.ts'
import type { Sql } from '../store/sql.ts'
import type { Bindings } from './bindings.ts'

const NO_DATABASE =
  'edgetcd: this Worker has no database: bind a Hyperdrive as HYPERDRIVE, or set DATABASE_URL to a Neon database'

/**
 * Opens the database that the bindings name, for one request of a Worker: through a Hyperdrive if there is one, else at
 * Neon. It connects when the first statement is sent. Fails with an EtcdError when the bindings name none.
 */
export function openConnection(bindings: Bindings): Sql {
  const { HYPERDRIVE } = bindings
  return HYPERDRIVE === undefined
    ? openNeon(neonPlace(bindings))
    : openSingleConnection({ connectionString: HYPERDRIVE.connectionString })
}

/**
 * Opens the database that the bindings name, for the coordinator: one session that many requests share, and that is opened
 * anew after it was lost. Fails with an EtcdError when the bindings name none.
 */
export function openSession(bindings: Bindings): Sql {
  const { HYPERDRIVE } = bindings
  return HYPERDRIVE === undefined
    ? openNeonSession(neonPlace(bindings))
    : openSingleConnection({ connectionString: HYPERDRIVE.connectionString })
}

const PROTOCOLS = ['postgres:', 'postgresql:', 'neon:']

/** Any PostgreSQL's connection string will do where a proxy is asked; without one it must be Neon's. */
function neonPlace({ DATABASE_URL = '', NEON_PROXY }: Bindings): NeonPlace {
  const proxy = NEON_PROXY === '' ? undefined : NEON_PROXY
  const url = URL.canParse(DATABASE_URL) ? new URL(DATABASE_URL) : undefined
  const atNeon = url?.protocol === 'neon:' || url?.hostname.endsWith('.neon.tech')
  if (url === undefined || !PROTOCOLS.includes(url.protocol) || !(atNeon || proxy !== undefined)) {
    throw new EtcdError(GrpcCode.Unavailable, NO_DATABASE)
  }
  if (proxy !== undefined && !URL.canParse(proxy)) {
    throw new EtcdError(GrpcCode.Unavailable, 'edgetcd: NEON_PROXY must be a URL: http://…')
  }
  return { connectionString: DATABASE_URL, proxy }
}
