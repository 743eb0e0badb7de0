import type { ClientBase } from 'pg'
import type { Log } from '../../environment.ts'
import { isYugabyteDb, serverVersion } from '../dialect/server-version.ts'

/** YugabyteDB 2025.1 is the first that is made from it: https://docs.yugabyte.com/stable/api/ysql/pg15-features/ */
const MAJOR_VERSION_MIN = 15

/** As many rows of one side of a join are looked up on the other at once: the default from 2024.1 on. */
const BATCH_SIZE = 1024

/**
 * Refuses a server that is too old, or none of YugabyteDB's, and says which isolation is in effect on it. What is only
 * slower is warned of: whoever set it may know why.
 */
export async function checkYugabyteDb(client: ClientBase, log: Log): Promise<void> {
  await checkEngine(client)
  await checkReads(client)
  await sayIsolation(client, log)
  await checkBatchSize(client, log)
}

/** Refuses a server that is too old, or none of YugabyteDB's. */
export async function checkEngine(client: ClientBase): Promise<void> {
  const version = await serverVersion(client)
  if (!isYugabyteDb(version)) {
    throw new Error(`it is PostgreSQL ${version.name}, not YugabyteDB: let its URL begin with postgres://`)
  }
  if (version.major < MAJOR_VERSION_MIN)
    throw new Error(`YugabyteDB ${version.name} is too old: edgetcd needs 2025.1 or later`)
}

/**
 * Refuses what a role or a database may have as its defaults, and what makes reads miss commits that were answered before:
 * https://docs.yugabyte.com/stable/architecture/transactions/read-restart-error/ and
 * https://docs.yugabyte.com/stable/additional-features/follower-reads/
 */
async function checkReads(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ followers: string | null; visibility: string | null }>(
    `select current_setting('yb_read_from_followers', true) as followers,
            current_setting('yb_read_after_commit_visibility', true) as visibility`,
  )
  const { followers, visibility } = rows[0] ?? {}
  if (followers === 'on')
    throw new Error('its reads may be old: set yb_read_from_followers to off for this role')
  if (visibility === 'relaxed')
    throw new Error('its reads may be old: set yb_read_after_commit_visibility to strict for this role')
}

/**
 * A session that asks for READ COMMITTED gets snapshot isolation instead, unless the servers' flag is set. Both are
 * right; under the second one of two writers that meet is turned away with 40001 and tries again.
 */
async function sayIsolation(client: ClientBase, log: Log): Promise<void> {
  await client.query(`select set_config('default_transaction_isolation', 'read committed', false)`)
  const { rows } = await client.query<{ isolation: string }>(
    'select yb_get_effective_transaction_isolation_level() as isolation',
  )
  const isolation = rows[0]?.isolation ?? 'unknown'
  if (isolation.toLowerCase() === 'read committed') {
    log('info', 'YugabyteDB: READ COMMITTED is in effect', { isolation })
    return
  }
  log(
    'warn',
    'YugabyteDB: READ COMMITTED is not in effect; writes that meet are tried again. Set yb_enable_read_committed_isolation on its servers for more throughput',
    { isolation },
  )
}

/** Sets the size of batches on the database, where it is smaller and the role may. */
async function checkBatchSize(client: ClientBase, log: Log): Promise<void> {
  const { rows } = await client.query<{ size: string | null; database: string; owned: boolean }>(
    `select current_setting('yb_bnl_batch_size', true) as size, quote_ident(d.datname) as database,
            pg_has_role(d.datdba, 'USAGE') as owned
     from pg_database d where d.datname = current_database()`,
  )
  const [row] = rows
  if (row === undefined || Number(row.size) >= BATCH_SIZE) return
  if (row.owned) await client.query(`alter database ${row.database} set yb_bnl_batch_size = ${BATCH_SIZE}`)
  else
    log('warn', `YugabyteDB: yb_bnl_batch_size is small; set it to ${BATCH_SIZE} on the database`, {
      size: row.size ?? '',
    })
}
