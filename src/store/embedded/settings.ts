/**
 * How our PostgreSQL is set. Two lists: what the promises of this folder rest on is given at each start and can't
 * be overridden; what is a matter of taste is written once into the new database's postgresql.conf, where an
 * operator may change it.
 */

/** A name for the socket file; no port is opened. */
export const PORT = 5432
export const SUPERUSER = 'postgres'
export const DATABASE = 'postgres'

/** Given on the command line, over whatever postgresql.conf says. */
export const FIXED_SETTINGS: Readonly<Record<string, string>> = {
  // Reachable by nobody else: no network, and the socket in PostgreSQL's own directory (`.`), which its account
  // alone enters.
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  port: String(PORT),
  // An acknowledged write survives a power failure.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // The log goes to our own, line by line and in English (postgres-log.ts).
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '',
  log_min_messages: 'warning',
  lc_messages: 'C',
  // A statement's text in the log could hold a user's keys and values.
  log_statement: 'none',
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  cluster_name: 'edgetcd',
}

/** Written into postgresql.conf when a database is made. */
export const INITIAL_SETTINGS: Readonly<Record<string, string>> = {
  max_connections: '32',
  // Small: the working set is indexes, and the system's page cache holds the rest.
  shared_buffers: '64MB',
  maintenance_work_mem: '32MB',
  // Every statement is short: compiling it or sharing it among processes costs more than it takes.
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  max_parallel_workers: '0',
  io_method: 'sync',
  autovacuum: 'on',
  autovacuum_worker_slots: '3',
  // No replicas, so nothing is logged for them and no processes wait for them.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  // What a crash has to replay, and what the log takes on disk.
  max_wal_size: '512MB',
  min_wal_size: '64MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/** The only way in is the Unix socket; the directory that it lies in is what keeps others out. */
export const HOST_BASED_AUTHENTICATION = `# Written by edgetcd. The socket's directory admits PostgreSQL's account and root, nobody else.
local all all trust
`

/** Settings as arguments of postgres and initdb. */
export function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
