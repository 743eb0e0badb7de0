import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { openSingleConnection } from '../store/postgres/single.ts'
import type { Sql } from '../store/sql.ts'
import type { Bindings } from './bindings.ts'

const NO_DATABASE =
  'edgetcd: this Worker has no database: bind a Hyperdrive as HYPERDRIVE, or set DATABASE_URL to a Neon database'

/**
 * Opens the database that the bindings name, for one request of a Worker. It connects when the first statement is sent.
 * Fails with an EtcdError when the bindings name none.
 */
export function openConnection({ HYPERDRIVE }: Bindings): Sql {
  if (HYPERDRIVE !== undefined) return openSingleConnection({ connectionString: HYPERDRIVE.connectionString })
  throw new EtcdError(GrpcCode.Unavailable, NO_DATABASE)
}
