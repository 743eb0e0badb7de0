import { EtcdError } from '../../etcd/errors.ts'
import { headAt, type Reader } from '../reader.ts'
import type { SqlParameter, SqlType, Statement } from '../sql.ts'
import type { StatementFactory } from '../statement.ts'
import addSql from '../statements/user-add.sql'
import changePasswordSql from '../statements/user-change-password.sql'
import deleteSql from '../statements/user-delete.sql'
import getSql from '../statements/user-get.sql'
import grantRoleSql from '../statements/user-grant-role.sql'
import listSql from '../statements/user-list.sql'
import revokeRoleSql from '../statements/user-revoke-role.sql'
import type { Head } from '../types.ts'
import type { Change } from './change.ts'
import { nameBytes, nameOf } from './names.ts'
import type { StoredPassword } from './password.ts'

const PASSWORD_TYPES: readonly SqlType[] = ['text', 'bytea', 'bytea', 'int4']

function passwordParameters(password: StoredPassword | undefined): SqlParameter[] {
  if (password === undefined) return [null, null, null, null]
  const { scheme, hash } = password
  return scheme === 'bcrypt' ? [scheme, hash, null, null] : [scheme, hash, password.salt, password.iterations]
}

/** The users: each call is one statement. Those that change something give the keys' revision. */
export class Users {
  readonly #change: Change
  readonly #reader: Reader
  readonly #add: Statement
  readonly #delete: Statement
  readonly #changePassword: Statement
  readonly #grantRole: Statement
  readonly #revokeRole: Statement
  readonly #get: Statement
  readonly #list: Statement

  constructor(change: Change, reader: Reader, statement: StatementFactory) {
    this.#change = change
    this.#reader = reader
    this.#add = statement('user add', addSql, ['int8', 'bytea', 'bool', ...PASSWORD_TYPES])
    this.#delete = statement('user delete', deleteSql, ['int8', 'bytea'])
    this.#changePassword = statement('user change password', changePasswordSql, [
      'int8',
      'bytea',
      ...PASSWORD_TYPES,
    ])
    this.#grantRole = statement('user grant role', grantRoleSql, ['int8', 'bytea', 'bytea'])
    this.#revokeRole = statement('user revoke role', revokeRoleSql, ['int8', 'bytea', 'bytea'])
    this.#get = statement('user get', getSql, ['bytea'])
    this.#list = statement('user list', listSql, [])
  }

  /**
   * Adds a user without roles. Without a password it is one that can't have any.
   * @throws EtcdError UserAlreadyExist
   */
  add(name: string, password: StoredPassword | undefined): Promise<bigint> {
    const parameters = [nameBytes(name), password === undefined, ...passwordParameters(password)]
    return this.#change(this.#add, parameters)
  }

  /** @throws EtcdError UserNotFound */
  delete(name: string): Promise<bigint> {
    return this.#change(this.#delete, [nameBytes(name)])
  }

  /**
   * Replaces a user's password; the one of a user who can't have any stays as it is. Without `password` it fails
   * for all others.
   * @throws EtcdError UserNotFound, NoPasswordUser
   */
  changePassword(name: string, password: StoredPassword | undefined): Promise<bigint> {
    return this.#change(this.#changePassword, [nameBytes(name), ...passwordParameters(password)])
  }

  /** @throws EtcdError UserNotFound, RoleNotFound */
  grantRole(name: string, role: string): Promise<bigint> {
    return this.#change(this.#grantRole, [nameBytes(name), nameBytes(role)])
  }

  /** @throws EtcdError UserNotFound, RoleNotGranted */
  revokeRole(name: string, role: string): Promise<bigint> {
    return this.#change(this.#revokeRole, [nameBytes(name), nameBytes(role)])
  }

  /**
   * A user's roles, sorted.
   * @throws EtcdError UserNotFound
   */
  async get(name: string): Promise<{ head: Head; roles: string[] }> {
    const rows = await this.#reader.read(this.#get, [nameBytes(name)])
    if (rows[0]?.[4] !== true) throw EtcdError.of('UserNotFound')
    const roles = rows.map((row) => row[5] as Uint8Array | null).filter((role) => role !== null)
    return { head: headAt(rows), roles: roles.map(nameOf) }
  }

  /** The names of all users, sorted by their bytes. */
  async list(): Promise<{ head: Head; names: string[] }> {
    const rows = await this.#reader.read(this.#list, [])
    const names = rows.map((row) => row[4] as Uint8Array | null).filter((name) => name !== null)
    return { head: headAt(rows), names: names.map(nameOf) }
  }
}
