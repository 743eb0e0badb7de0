import type { ClientBase } from 'pg'
import incarnation from '../../../migrations/functions/postgres/incarnation.sql'
import lockWrites from '../../../migrations/functions/postgres/lock_writes.sql'
import storeSize from '../../../migrations/functions/postgres/store_size.sql'
import store from '../../../migrations/postgres/0001_store.sql'
import { FUNCTIONS, TABLES } from './common.ts'
import type { Dialect } from './dialect.ts'
import { isYugabyteDb, serverVersion } from './server-version.ts'

/** The oldest PostgreSQL that the engine's SQL runs on. */
const MAJOR_VERSION_MIN = 14

/** PostgreSQL, and what is one: Neon, and other services that keep its tables in their own way. */
export const POSTGRES: Dialect = {
  name: 'PostgreSQL',
  migrations: [{ name: '0001_store', sql: `${TABLES.store}\n${store}` }],
  functions: [...FUNCTIONS, incarnation, lockWrites, storeSize],
  asc: '',
  transactionalDdl: true,
  checkEngine: checkPostgres,
  checkServer: checkPostgres,
  adapt: (sql) => sql,
}

async function checkPostgres(client: ClientBase): Promise<void> {
  const version = await serverVersion(client)
  if (isYugabyteDb(version)) {
    throw new Error(
      `it is YugabyteDB (${version.name}), which does some things otherwise: let its URL begin with yugabytedb://`,
    )
  }
  if (version.major < MAJOR_VERSION_MIN) {
    throw new Error(`PostgreSQL ${version.name} is too old: edgetcd needs PostgreSQL 14 or later`)
  }
}
