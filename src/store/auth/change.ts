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
] as const

/**
 * Runs a statement that changes users or roles, which adds 1 to the auth revision. Gives the keys' revision, which it
 * leaves alone, for the answer's header.
 *
 * Such changes don't travel in the batches of writes: they are rare.
 * @throws EtcdError, the change's own or one that says whether it may have happened
 */
export async function change(
  sql: Sql,
  statement: Statement,
  parameters: readonly SqlParameter[],
): Promise<bigint> {
  const [row] = await sql.write(statement, parameters).catch((error: unknown) => {
    throw etcdFailure(error)
  })
  const failure = FAILURES.find((name) => name === row?.[0])
  if (failure !== undefined) throw EtcdError.of(failure)
  const revision = row?.[1]
  if (typeof revision !== 'bigint') throw new Error(`${statement.name} gave ${row?.[0]} and no revision`)
  return revision
}
