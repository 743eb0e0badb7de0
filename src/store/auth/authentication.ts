import { headAt, type Reader } from '../reader.ts'
import type { SqlRow, Statement } from '../sql.ts'
import type { StatementFactory } from '../statement.ts'
import disableSql from '../statements/auth-disable.sql'
import enableSql from '../statements/auth-enable.sql'
import passwordSql from '../statements/auth-password.sql'
import rightsSql from '../statements/auth-rights.sql'
import type { Head } from '../types.ts'
import type { Change } from './change.ts'
import { nameBytes, nameOf } from './names.ts'
import type { StoredPassword } from './password.ts'
import type { Permission } from './roles.ts'

/** One user's rights, as the roles add up to them. */
export interface UserRights {
  /** Rises with each change of the password; a token names it. */
  readonly passwordVersion: bigint
  readonly roles: readonly string[]
  readonly permissions: readonly Permission[]
}

/** The rights at one moment, as far as one user is concerned. */
export interface Rights {
  /** Rises whenever it changes what anybody may do. */
  readonly authVersion: bigint
  /** etcd's: counts the changes of users and roles, and switching off. */
  readonly authRevision: bigint
  readonly enabled: boolean
  readonly signingKey: Uint8Array
  /** Undefined: there is no such user. */
  readonly user: UserRights | undefined
}

/** What is needed to let a user in. */
export interface UserPassword {
  readonly head: Head
  readonly enabled: boolean
  readonly signingKey: Uint8Array
  /** Undefined: there is no such user. */
  readonly user:
    | {
        readonly passwordVersion: bigint
        /** Never signs in by password, whatever it is changed to. */
        readonly noPassword: boolean
        readonly password: StoredPassword | undefined
      }
    | undefined
}

/** Whether callers have to say who they are, and what is known of who they say: each call is one statement. */
export class Authentication {
  readonly #change: Change
  readonly #reader: Reader
  readonly #rights: Statement
  readonly #password: Statement
  readonly #enable: Statement
  readonly #disable: Statement

  constructor(change: Change, reader: Reader, statement: StatementFactory) {
    this.#change = change
    this.#reader = reader
    this.#rights = statement('auth rights', rightsSql, ['bytea'])
    this.#password = statement('auth password', passwordSql, ['bytea'])
    this.#enable = statement('auth enable', enableSql, ['int8'])
    this.#disable = statement('auth disable', disableSql, ['int8'])
  }

  /** What the user may do; undefined asks for nobody in particular. */
  async rights(user: string | undefined): Promise<Rights> {
    const rows = await this.#reader.read(this.#rights, [user === undefined ? null : nameBytes(user)])
    return {
      authVersion: headAt(rows).authVersion,
      enabled: rows[0]?.[4] === true,
      authRevision: rows[0]?.[5] as bigint,
      signingKey: rows[0]?.[6] as Uint8Array,
      user: userRights(rows),
    }
  }

  /** What is kept of a user's password. */
  async password(user: string): Promise<UserPassword> {
    const rows = await this.#reader.read(this.#password, [nameBytes(user)])
    const [row] = rows
    const passwordVersion = (row?.[6] as bigint | null | undefined) ?? undefined
    return {
      head: headAt(rows),
      enabled: row?.[4] === true,
      signingKey: row?.[5] as Uint8Array,
      user:
        row === undefined || passwordVersion === undefined
          ? undefined
          : { passwordVersion, noPassword: row[7] === true, password: storedPassword(row) },
    }
  }

  /**
   * From now on callers have to say who they are. Gives the keys' revision.
   * @throws EtcdError RootUserNotExist, RootRoleNotExist
   */
  enable(): Promise<bigint> {
    return this.#change(this.#enable)
  }

  /** Lets everybody do everything again. Gives the keys' revision. */
  disable(): Promise<bigint> {
    return this.#change(this.#disable)
  }
}

function userRights(rows: readonly SqlRow[]): UserRights | undefined {
  const passwordVersion = (rows[0]?.[7] as bigint | null | undefined) ?? undefined
  if (passwordVersion === undefined) return undefined
  const roles = new Set<string>()
  const permissions: Permission[] = []
  for (const row of rows) {
    if (row[8] !== null) roles.add(nameOf(row[8] as Uint8Array))
    if (row[9] === null) continue
    permissions.push({
      permType: row[9] as number,
      key: row[10] as Uint8Array,
      rangeEnd: row[11] as Uint8Array,
    })
  }
  return { passwordVersion, roles: [...roles], permissions }
}

function storedPassword(row: SqlRow): StoredPassword | undefined {
  const hash = row[9] as Uint8Array
  switch (row[8]) {
    case 'pbkdf2-sha256':
      return { scheme: 'pbkdf2-sha256', hash, salt: row[10] as Uint8Array, iterations: row[11] as number }
    case 'bcrypt':
      return { scheme: 'bcrypt', hash }
    case null:
      return undefined
    default:
      throw new Error(`a password is kept in a way that this version doesn't know: ${row[8]}`)
  }
}
