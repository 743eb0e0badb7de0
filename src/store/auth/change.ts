import { EtcdError } from '../../etcd/errors.ts'
import { etcdFailure } from '../failure.ts'
import type { Sql, SqlParameter, Statement } from '../sql.ts'

/** What the functions of migrations/functions/auth_*.sql may answer instead of a revision. */
const FAILURES = [
  'UserAlreadyExist',
  'UserNotFound',
  'RoleAlreadyExist',
  'RoleNotFound',
  'RoleNotGranted',
  'PermissionNotGranted',
  'NoPasswordUser',
  'InvalidAuthMgmt',
  'RootUserNotExist',
  'RootRoleNotExist',
  'AuthOldRevision',
] as const

/**
 * Runs a statement that changes users, roles, or whether authentication is on; its first parameter is the version of the
 * rights that the caller was authorized under. Gives the keys' revision, which it leaves alone, for the answer's header.
 *
 * Such changes don't travel in the batches of writes: they are rare.
 * @throws EtcdError, the change's own or one that says whether it may have happened
 */
export type Change = (statement: Statement, parameters?: readonly SqlParameter[]) => Promise<bigint>

/** Makes changes for a caller who was authorized under this version of the rights. */
export function changeUnder(sql: Sql, authVersion: bigint): Change {
  return async (statement, parameters = []) => {
    const [row] = await sql.write(statement, [authVersion, ...parameters]).catch((error: unknown) => {
      throw etcdFailure(error)
    })
    const failure = FAILURES.find((name) => name === row?.[0])
    if (failure !== undefined) throw EtcdError.of(failure)
    const revision = row?.[1]
    if (typeof revision !== 'bigint') throw new Error(`${statement.name} gave ${row?.[0]} and no revision`)
    return revision
  }
}
