import { EtcdError } from '../../etcd/errors.ts'
import { headAt, type Reader } from '../reader.ts'
import type { Statement } from '../sql.ts'
import type { StatementFactory } from '../statement.ts'
import addSql from '../statements/role-add.sql'
import deleteSql from '../statements/role-delete.sql'
import getSql from '../statements/role-get.sql'
import grantPermissionSql from '../statements/role-grant-permission.sql'
import listSql from '../statements/role-list.sql'
import revokePermissionSql from '../statements/role-revoke-permission.sql'
import type { Head } from '../types.ts'
import type { Change } from './change.ts'
import { nameBytes, nameOf } from './names.ts'

/** What a role may do with an interval of keys; the field names of etcd's authpb.Permission. */
export interface Permission {
  /** authpb.Permission.Type, or a number that has no name. */
  readonly permType: number
  readonly key: Uint8Array
  /** Empty: the one key; a zero byte: to the end of the keyspace. */
  readonly rangeEnd: Uint8Array
}

/** The roles: each call is one statement. Those that change something give the keys' revision. */
export class Roles {
  readonly #change: Change
  readonly #reader: Reader
  readonly #add: Statement
  readonly #delete: Statement
  readonly #grantPermission: Statement
  readonly #revokePermission: Statement
  readonly #get: Statement
  readonly #list: Statement

  constructor(change: Change, reader: Reader, statement: StatementFactory) {
    this.#change = change
    this.#reader = reader
    this.#add = statement('role add', addSql, ['int8', 'bytea'])
    this.#delete = statement('role delete', deleteSql, ['int8', 'bytea'])
    this.#grantPermission = statement('role grant permission', grantPermissionSql, [
      'int8',
      'bytea',
      'int4',
      'bytea',
      'bytea',
    ])
    this.#revokePermission = statement('role revoke permission', revokePermissionSql, [
      'int8',
      'bytea',
      'bytea',
      'bytea',
    ])
    this.#get = statement('role get', getSql, ['bytea'])
    this.#list = statement('role list', listSql, [])
  }

  /** @throws EtcdError RoleAlreadyExist */
  add(name: string): Promise<bigint> {
    return this.#change(this.#add, [nameBytes(name)])
  }

  /**
   * Deletes a role, and takes it from the users who have it.
   * @throws EtcdError RoleNotFound
   */
  delete(name: string): Promise<bigint> {
    return this.#change(this.#delete, [nameBytes(name)])
  }

  /**
   * Gives a role a permission, or another type to the one that it has on the interval.
   * @throws EtcdError RoleNotFound
   */
  grantPermission(name: string, { permType, key, rangeEnd }: Permission): Promise<bigint> {
    return this.#change(this.#grantPermission, [nameBytes(name), permType, key, rangeEnd])
  }

  /** @throws EtcdError RoleNotFound, PermissionNotGranted */
  revokePermission(name: string, key: Uint8Array, rangeEnd: Uint8Array): Promise<bigint> {
    return this.#change(this.#revokePermission, [nameBytes(name), key, rangeEnd])
  }

  /**
   * A role's permissions by key, those of one key as they were granted.
   * @throws EtcdError RoleNotFound
   */
  async get(name: string): Promise<{ head: Head; permissions: Permission[] }> {
    const rows = await this.#reader.read(this.#get, [nameBytes(name)])
    if (rows[0]?.[4] !== true) throw EtcdError.of('RoleNotFound')
    const permissions = rows
      .filter((row) => row[5] !== null)
      .map((row) => ({
        permType: row[5] as number,
        key: row[6] as Uint8Array,
        rangeEnd: row[7] as Uint8Array,
      }))
    return { head: headAt(rows), permissions }
  }

  /** The names of all roles, sorted by their bytes. */
  async list(): Promise<{ head: Head; names: string[] }> {
    const rows = await this.#reader.read(this.#list, [])
    const names = rows.map((row) => row[4] as Uint8Array | null).filter((name) => name !== null)
    return { head: headAt(rows), names: names.map(nameOf) }
  }
}
