import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { SqlError } from './sql.ts'

/** Known not to have happened, and worth another try: serialization failure, deadlock, a lock not had within the role's `lock_timeout`. */
const RETRIABLE = new Set(['40001', '40P01', '55P03'])

/** The database is there but serves nobody now: starting or stopping, out of connections, a standby. */
const NOT_SERVING = new Set(['57P03', '53300', '25006'])

const DISK_FULL = '53100'
/** No such schema, table or function. */
const NOT_MIGRATED = new Set(['3F000', '42P01', '42883'])
const NO_RIGHT = '42501'

/** Whether the statement is known not to have happened and may simply be run again. */
export function isRetriable(error: unknown): boolean {
  return error instanceof SqlError && error.kind === 'failed' && RETRIABLE.has(error.sqlstate ?? '')
}

/** Whether there is no store: it was never made, or has been dropped. */
export function isStoreMissing(error: unknown): boolean {
  return error instanceof SqlError && NOT_MIGRATED.has(error.sqlstate ?? '')
}

/**
 * What a client is told of a failed statement (invariant 10): `no leader` when nothing can have happened, `possibly due
 * to connection lost` when it isn't known.
 */
export function etcdFailure(error: unknown): EtcdError {
  if (error instanceof EtcdError) return error
  if (!(error instanceof SqlError))
    return new EtcdError(GrpcCode.Internal, 'etcdserver: internal error', { cause: error })
  switch (error.kind) {
    case 'unreachable':
      return EtcdError.of('NoLeader', error)
    case 'unknown':
      return EtcdError.of('TimeoutDueToConnectionLost', error)
    case 'failed':
      return databaseError(error)
    default:
      return error.kind satisfies never
  }
}

/** What a client is told of a read that failed: nothing can have happened, so nothing is in doubt. */
export function readFailure(error: unknown): EtcdError {
  return error instanceof SqlError && error.kind === 'unknown'
    ? EtcdError.of('NoLeader', error)
    : etcdFailure(error)
}

/** Whether the database refused a batch for a reason that no member of it is to blame for: time, space, connections. */
export function isNobodysFault(error: SqlError): boolean {
  return (
    error.sqlstate === '57014' ||
    error.sqlstate?.startsWith('53') === true ||
    NOT_SERVING.has(error.sqlstate ?? '')
  )
}

function databaseError(error: SqlError): EtcdError {
  const sqlstate = error.sqlstate ?? ''
  if (RETRIABLE.has(sqlstate) || sqlstate === '57014') return EtcdError.of('Timeout', error)
  if (sqlstate === DISK_FULL) return EtcdError.of('NoSpace', error)
  if (NOT_SERVING.has(sqlstate) || sqlstate.startsWith('53')) return EtcdError.of('NoLeader', error)
  if (NOT_MIGRATED.has(sqlstate)) {
    return new EtcdError(
      GrpcCode.Unavailable,
      'etcdserver: the database has no store here; run `edgetcd migrate`',
      {
        cause: error,
      },
    )
  }
  if (sqlstate === NO_RIGHT) {
    return new EtcdError(
      GrpcCode.Unavailable,
      'etcdserver: the role that edgetcd has in the database lacks a right; grant it as docs/workers.md says',
      { cause: error },
    )
  }
  return new EtcdError(
    GrpcCode.Internal,
    `etcdserver: the database refused a statement (SQLSTATE ${sqlstate})`,
    {
      cause: error,
    },
  )
}
