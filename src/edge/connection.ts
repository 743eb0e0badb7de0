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
