import incarnation from '../../../migrations/functions/yugabytedb/incarnation.sql'
import lockWrites from '../../../migrations/functions/yugabytedb/lock_writes.sql'
import storeSize from '../../../migrations/functions/yugabytedb/store_size.sql'
import store from '../../../migrations/yugabytedb/0001_store.sql'
import { FUNCTIONS, TABLES } from '../dialect/common.ts'
import type { Dialect } from '../dialect/dialect.ts'
import { checkEngine, checkYugabyteDb } from './server.ts'
import { uncertainSql } from './uncertain-sql.ts'

/**
 * YugabyteDB, from 2025.1 on. None of it could be run where edgetcd is built: docs/yugabytedb.md has the page of its
 * documentation for each choice.
 */
export const YUGABYTEDB: Dialect = {
  name: 'YugabyteDB',
  migrations: [{ name: '0001_store', sql: `${TABLES.store}\n${store}` }],
  functions: [...FUNCTIONS, incarnation, lockWrites, storeSize],
  asc: 'asc',
  // It can be switched on, and is off: https://docs.yugabyte.com/stable/architecture/transactions/transactional-ddl/
  transactionalDdl: false,
  checkEngine,
  checkServer: checkYugabyteDb,
  adapt: uncertainSql,
}
