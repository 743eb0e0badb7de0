import type { Headers, Json, JsonObject } from '../support/gateway.ts'
import { LEASES } from './generator.ts'
import { asHolderOf, ROOT_SLOT, SLOTS, slotOf, USERS } from './rights-callers.ts'
import type { Make, Requests } from './rights-requests.ts'

export const ROLES = ['root', 'r1', 'r2', 'r3', 'nil']
const PASSWORDS = ['pw', 'other']
const ROOT_PASSWORD = 'rootpw'
const TYPES: readonly Json[] = ['READ', 'WRITE', 'READWRITE', 'READWRITE', 2, 9, -5]
/** With more elements than this, Go's sort may put permissions of one key in any order. */
const PERMISSIONS_MAX = 12

/** Calls of the Auth service: users, roles and permissions come and go, and authentication goes off and on again. */
export class RightsChanges {
  readonly #requests: Requests
  /** A request that a change of the rights may matter to. */
  readonly #keyCall: Make
  readonly #granted = new Map<string, { key: string; range_end?: string }[]>()
  readonly #passwords = new Map<string, string>()

  constructor(requests: Requests, keyCall: Make) {
    this.#requests = requests
    this.#keyCall = keyCall
  }

  beginning(): Make[] {
    const random = this.#requests.random
    return [
      ...['r1', 'r2', 'r3'].map((name) => this.#requests.asRoot('/v3/auth/role/add', { name })),
      ...['r1', 'r2', 'r3', 'r1', 'r2', 'r3'].map((role) => this.#roleGrant(role, {})),
      ...['ann', 'bob', 'cy'].map((name) =>
        this.#requests.asRoot('/v3/auth/user/add', { name, password: 'pw' }),
      ),
      this.#requests.asRoot('/v3/auth/user/add', { name: 'dee', options: { no_password: true } }),
      ...[
        ['ann', 'r1'],
        ['bob', 'r1'],
        ['bob', 'r2'],
        ['dee', 'r3'],
        [random.pick(['ann', 'cy']), random.pick(['r2', 'r3'])],
      ].map(([user = '', role = '']) => this.#requests.asRoot('/v3/auth/user/grant', { user, role })),
      ...LEASES.map((ID) => this.#requests.asRoot('/v3/lease/grant', { ID, TTL: '600' })),
      ...this.#enabling(),
    ]
  }

  /** Whatever happened before, authentication is on after these, and all are let in. */
  #enabling(): Make[] {
    const root = { name: 'root', password: ROOT_PASSWORD }
    return [
      this.#requests.asRoot('/v3/auth/user/add', root),
      this.#requests.asRoot('/v3/auth/user/changepw', root),
      this.authenticate('root', 0),
      this.#requests.asRoot('/v3/auth/role/add', { name: 'root' }),
      this.#requests.asRoot('/v3/auth/user/grant', { user: 'root', role: 'root' }),
      this.#requests.asRoot('/v3/auth/enable', {}),
      ...USERS.slice(0, 4).map((name) => this.authenticate(name, 0)),
    ]
  }

  /** Mostly with the password that the user ought to have by then. */
  authenticate(name: string, place = this.#requests.random.pick(SLOTS)): Make {
    const path = '/v3/auth/authenticate'
    const known = name === 'root' ? ROOT_PASSWORD : this.#passwords.get(name)
    const password =
      place === 0 || this.#requests.random.chance(0.8)
        ? (known ?? 'pw')
        : this.#requests.random.pick(PASSWORDS)
    return () => ({
      ...this.#requests.operation(path, { name, password }, {}),
      keep: slotOf(name, place),
    })
  }

  next(): Make {
    const random = this.#requests.random
    const name = random.pick(USERS)
    const user = random.chance(0.9) ? random.pick(USERS.slice(1, 4)) : name
    const role = random.chance(0.8) ? random.pick(ROLES.slice(1, 4)) : random.pick(ROLES)
    const managed = (call: string, body: JsonObject) =>
      this.#requests.call(`/v3/auth/${call}`, body, this.#requests.manager())
    return random.weighted<() => Make>([
      [10, () => this.#roleGrant(role, this.#requests.manager())],
      [6, () => this.#roleRevoke(role)],
      [6, () => managed('user/grant', { user, role })],
      [5, () => managed('user/revoke', { name: user, role })],
      [2, () => this.#roleDelete(role)],
      [2, () => this.#userDelete(user)],
      [3, () => this.#changePassword(user)],
      [5, () => this.authenticate(user)],
      [1, () => this.authenticate(name)],
      [3, () => this.#requests.call('/v3/auth/user/get', { name: random.chance(0.1) ? '' : name })],
      [3, () => this.#requests.call('/v3/auth/role/get', { role: random.chance(0.1) ? '' : role })],
      [1, () => this.#requests.call('/v3/auth/user/list', {})],
      [1, () => this.#requests.call('/v3/auth/role/list', {})],
      [1, () => managed('role/add', { name: role })],
      [1, () => managed('user/add', { name, password: 'pw' })],
      [2, () => this.#requests.call('/v3/auth/status', {})],
      [1, () => this.#requests.call('/v3/auth/enable', {})],
      [1, () => this.#disable()],
    ])()
  }

  #roleGrant(name: string, headers: Headers): Make {
    const granted = this.#granted.get(name) ?? []
    if (granted.length === PERMISSIONS_MAX) return this.#roleDelete(name)
    const interval = this.#requests.interval()
    this.#granted.set(name, [...granted, interval])
    const perm = { ...interval, permType: this.#requests.random.pick(TYPES) }
    return this.#requests.call('/v3/auth/role/grant', { name, perm }, headers)
  }

  #roleRevoke(role: string): Make {
    const granted = this.#granted.get(role) ?? []
    const known = granted.length > 0 && this.#requests.random.chance(0.8)
    const interval = known ? this.#requests.random.pick(granted) : this.#requests.interval()
    return this.#requests.call('/v3/auth/role/revoke', { role, ...interval }, this.#requests.manager())
  }

  /** Deleted by root, for then it is known how many permissions the next one of the name has. */
  #roleDelete(name: string): Make {
    this.#granted.delete(name)
    this.#requests.queue.push(
      this.#requests.asRoot('/v3/auth/role/add', { name }),
      this.#roleGrant(name, asHolderOf(ROOT_SLOT)),
    )
    return this.#requests.asRoot('/v3/auth/role/delete', { role: name })
  }

  #userDelete(name: string): Make {
    if (this.#requests.random.chance(0.7)) {
      const password = this.#newPassword(name)
      this.#requests.queue.push(
        ...this.#some(1),
        this.#requests.asRoot('/v3/auth/user/add', { name, password }),
        this.#requests.asRoot('/v3/auth/user/grant', {
          user: name,
          role: this.#requests.random.pick(ROLES.slice(1)),
        }),
        ...this.#some(1),
        this.authenticate(name),
      )
    }
    return this.#requests.call('/v3/auth/user/delete', { name }, this.#requests.manager())
  }

  #changePassword(name: string): Make {
    const password = this.#newPassword(name)
    if (name !== 'root') this.#requests.queue.push(...this.#some(1))
    this.#requests.queue.push(
      this.authenticate(name, name === 'root' ? 0 : this.#requests.random.pick(SLOTS)),
    )
    return this.#requests.call('/v3/auth/user/changepw', { name, password }, this.#requests.manager())
  }

  #newPassword(name: string): string {
    if (name === 'root') return ROOT_PASSWORD
    const password = this.#requests.random.pick(PASSWORDS)
    this.#passwords.set(name, password)
    return password
  }

  #disable(): Make {
    this.#requests.queue.push(...this.#some(4), ...this.#enabling())
    return this.#requests.call('/v3/auth/disable', {})
  }

  /** At most so many requests of any kind. */
  #some(most: number): Make[] {
    return Array.from({ length: this.#requests.random.between(0, most) }, () => this.#keyCall)
  }
}
