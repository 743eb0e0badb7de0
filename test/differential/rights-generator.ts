import { b64, type Headers, type Json, type JsonObject } from '../support/gateway.ts'
import { SeededRandom } from '../support/random.ts'
import { ENDS, KEYS, LEASES, OperationGenerator, TO_THE_END } from './generator.ts'
import { asHolderOf, ROOT_SLOT, randomCaller, SLOTS, slotOf, USERS } from './rights-callers.ts'
import type { RightsOperation, RightsState } from './rights-run.ts'

type Make = (state: RightsState) => RightsOperation

const ROLES = ['root', 'r1', 'r2', 'r3', 'nil']
const PASSWORDS = ['pw', 'other']
const ROOT_PASSWORD = 'rootpw'
const TYPES: readonly Json[] = ['READ', 'WRITE', 'READWRITE', 'READWRITE', 2, 9, -5]
const EVERYTHING = { key: TO_THE_END, range_end: TO_THE_END }
/** With more elements than this, Go's sort may put permissions of one key in any order. */
const PERMISSIONS_MAX = 12

/** Locks and elections that have a key at a time: with those of the keyspace no more than a generator of keys has. */
const CONTESTS_MAX = 3

/** Makes random requests of random callers out of one seed; the first ones switch authentication on. */
export class RightsGenerator {
  readonly #random: SeededRandom
  readonly #keys: OperationGenerator
  readonly #servers: number
  /** What has to come next. */
  readonly #queue: Make[]
  readonly #granted = new Map<string, { key: string; range_end?: string }[]>()
  readonly #passwords = new Map<string, string>()
  /** The names of locks and elections, each new, so that nobody waits. */
  readonly #contests: Buffer[] = []

  constructor(seed: number, servers: number) {
    this.#random = new SeededRandom(seed)
    this.#keys = new OperationGenerator(this.#random, KEYS.slice(CONTESTS_MAX))
    this.#servers = servers
    this.#queue = this.#beginning()
  }

  next(state: RightsState): RightsOperation {
    const make = this.#queue.shift() ?? this.#random.weighted<() => Make>(this.#choices())()
    return make(state)
  }

  /** All there is to read in the end. */
  ending(): Make[] {
    return [
      this.#authenticate('root', 0),
      this.#asRoot('/v3/kv/range', EVERYTHING),
      ...['status', 'user/list', 'role/list'].map((call) => this.#asRoot(`/v3/auth/${call}`, {})),
      ...USERS.map((name) => this.#asRoot('/v3/auth/user/get', { name })),
      ...ROLES.map((role) => this.#asRoot('/v3/auth/role/get', { role })),
      ...LEASES.map((ID) => this.#asRoot('/v3/lease/timetolive', { ID, keys: true })),
    ]
  }

  #choices(): [number, () => Make][] {
    return [
      [60, () => this.#keyCall],
      [40, () => this.#rightsChange()],
      [24, () => this.#otherCall()],
    ]
  }

  #beginning(): Make[] {
    const random = this.#random
    return [
      ...['r1', 'r2', 'r3'].map((name) => this.#asRoot('/v3/auth/role/add', { name })),
      ...['r1', 'r2', 'r3', 'r1', 'r2', 'r3'].map((role) => this.#roleGrant(role, {})),
      ...['ann', 'bob', 'cy'].map((name) => this.#asRoot('/v3/auth/user/add', { name, password: 'pw' })),
      this.#asRoot('/v3/auth/user/add', { name: 'dee', options: { no_password: true } }),
      ...[
        ['ann', 'r1'],
        ['bob', 'r1'],
        ['bob', 'r2'],
        ['dee', 'r3'],
        [random.pick(['ann', 'cy']), random.pick(['r2', 'r3'])],
      ].map(([user = '', role = '']) => this.#asRoot('/v3/auth/user/grant', { user, role })),
      ...LEASES.map((ID) => this.#asRoot('/v3/lease/grant', { ID, TTL: '600' })),
      ...this.#enabling(),
    ]
  }

  /** Whatever happened before, authentication is on after these, and all are let in. */
  #enabling(): Make[] {
    const root = { name: 'root', password: ROOT_PASSWORD }
    return [
      this.#asRoot('/v3/auth/user/add', root),
      this.#asRoot('/v3/auth/user/changepw', root),
      this.#authenticate('root', 0),
      this.#asRoot('/v3/auth/role/add', { name: 'root' }),
      this.#asRoot('/v3/auth/user/grant', { user: 'root', role: 'root' }),
      this.#asRoot('/v3/auth/enable', {}),
      ...USERS.slice(0, 4).map((name) => this.#authenticate(name, 0)),
    ]
  }

  #caller(): Headers {
    return randomCaller(this.#random)
  }

  #server(): number {
    return this.#servers === 1 ? 0 : this.#random.between(0, this.#servers - 1)
  }

  #call(path: string, body: JsonObject, headers = this.#caller()): Make {
    return () => ({ path, body, headers, server: this.#server() })
  }

  #asRoot(path: string, body: JsonObject): Make {
    return this.#call(path, body, asHolderOf(ROOT_SLOT))
  }

  /** Managing is mostly root's, or nothing would ever change. */
  #manager(): Headers {
    return this.#random.chance(0.75) ? asHolderOf(ROOT_SLOT) : this.#caller()
  }

  /** Mostly with the password that the user ought to have by then. */
  #authenticate(name: string, place = this.#random.pick(SLOTS)): Make {
    const path = '/v3/auth/authenticate'
    const known = name === 'root' ? ROOT_PASSWORD : this.#passwords.get(name)
    const password = place === 0 || this.#random.chance(0.8) ? (known ?? 'pw') : this.#random.pick(PASSWORDS)
    return () => ({
      path,
      body: { name, password },
      headers: {},
      keep: slotOf(name, place),
      server: this.#server(),
    })
  }

  #rightsChange(): Make {
    const random = this.#random
    const name = random.pick(USERS)
    const user = random.chance(0.9) ? random.pick(USERS.slice(1, 4)) : name
    const role = random.chance(0.8) ? random.pick(ROLES.slice(1, 4)) : random.pick(ROLES)
    const managed = (call: string, body: JsonObject) => this.#call(`/v3/auth/${call}`, body, this.#manager())
    return random.weighted<() => Make>([
      [10, () => this.#roleGrant(role, this.#manager())],
      [6, () => this.#roleRevoke(role)],
      [6, () => managed('user/grant', { user, role })],
      [5, () => managed('user/revoke', { name: user, role })],
      [2, () => this.#roleDelete(role)],
      [2, () => this.#userDelete(user)],
      [3, () => this.#changePassword(user)],
      [5, () => this.#authenticate(user)],
      [1, () => this.#authenticate(name)],
      [3, () => this.#call('/v3/auth/user/get', { name: random.chance(0.1) ? '' : name })],
      [3, () => this.#call('/v3/auth/role/get', { role: random.chance(0.1) ? '' : role })],
      [1, () => this.#call('/v3/auth/user/list', {})],
      [1, () => this.#call('/v3/auth/role/list', {})],
      [1, () => managed('role/add', { name: role })],
      [1, () => managed('user/add', { name, password: 'pw' })],
      [2, () => this.#call('/v3/auth/status', {})],
      [1, () => this.#call('/v3/auth/enable', {})],
      [1, () => this.#disable()],
    ])()
  }

  #interval(): { key: string; range_end?: string } {
    const random = this.#random
    const key = random.chance(0.02) ? '' : random.pick(KEYS)
    return random.weighted<() => { key: string; range_end?: string }>([
      [3, () => ({ key })],
      [4, () => ({ key, range_end: random.pick(ENDS) })],
      [2, () => ({ key, range_end: TO_THE_END })],
      [0.5, () => EVERYTHING],
    ])()
  }

  #roleGrant(name: string, headers: Headers): Make {
    const granted = this.#granted.get(name) ?? []
    if (granted.length === PERMISSIONS_MAX) return this.#roleDelete(name)
    const interval = this.#interval()
    this.#granted.set(name, [...granted, interval])
    const perm = { ...interval, permType: this.#random.pick(TYPES) }
    return this.#call('/v3/auth/role/grant', { name, perm }, headers)
  }

  #roleRevoke(role: string): Make {
    const granted = this.#granted.get(role) ?? []
    const known = granted.length > 0 && this.#random.chance(0.8)
    const interval = known ? this.#random.pick(granted) : this.#interval()
    return this.#call('/v3/auth/role/revoke', { role, ...interval }, this.#manager())
  }

  /** Deleted by root, for then it is known how many permissions the next one of the name has. */
  #roleDelete(name: string): Make {
    this.#granted.delete(name)
    this.#queue.push(
      this.#asRoot('/v3/auth/role/add', { name }),
      this.#roleGrant(name, asHolderOf(ROOT_SLOT)),
    )
    return this.#asRoot('/v3/auth/role/delete', { role: name })
  }

  #userDelete(name: string): Make {
    if (this.#random.chance(0.7)) {
      const password = this.#newPassword(name)
      this.#queue.push(
        ...this.#some(1),
        this.#asRoot('/v3/auth/user/add', { name, password }),
        this.#asRoot('/v3/auth/user/grant', { user: name, role: this.#random.pick(ROLES.slice(1)) }),
        ...this.#some(1),
        this.#authenticate(name),
      )
    }
    return this.#call('/v3/auth/user/delete', { name }, this.#manager())
  }

  #changePassword(name: string): Make {
    const password = this.#newPassword(name)
    if (name !== 'root') this.#queue.push(...this.#some(1))
    this.#queue.push(this.#authenticate(name, name === 'root' ? 0 : this.#random.pick(SLOTS)))
    return this.#call('/v3/auth/user/changepw', { name, password }, this.#manager())
  }

  #newPassword(name: string): string {
    if (name === 'root') return ROOT_PASSWORD
    const password = this.#random.pick(PASSWORDS)
    this.#passwords.set(name, password)
    return password
  }

  #disable(): Make {
    this.#queue.push(...this.#some(4), ...this.#enabling())
    return this.#call('/v3/auth/disable', {})
  }

  /** At most so many requests of any kind. */
  #some(most: number): Make[] {
    return Array.from({ length: this.#random.between(0, most) }, () => this.#keyCall)
  }

  /**
   * Whether somebody with several permissions may have an interval that ends before it begins, which holds no key,
   * depends in etcd on how its tree of them happens to be balanced: only those ask for it who may do all or nothing.
   */
  readonly #keyCall: Make = (state) => {
    const { path, body } = this.#keys.next(state)
    const headers = this.#caller()
    const mayBeReversed = Object.keys(headers).length === 0 || headers.authorization === `{${ROOT_SLOT}}`
    return { path, body: mayBeReversed ? body : forwards(body), headers, server: this.#server() }
  }

  #otherCall(): Make {
    const random = this.#random
    const lease = random.chance(0.9) ? random.pick(LEASES) : '999'
    return random.weighted<() => Make>([
      [5, () => this.#call('/v3/watch', { create_request: forwards(this.#interval()) })],
      [4, () => this.#call('/v3/lease/keepalive', { ID: lease })],
      [3, () => this.#call('/v3/lease/timetolive', { ID: lease, keys: random.chance(0.7) })],
      [2, () => this.#call('/v3/lease/leases', {})],
      [2, () => this.#call('/v3/maintenance/status', {})],
      [2, () => this.#call('/v3/maintenance/alarm', {})],
      [1, () => this.#raiseAlarm()],
      [1, () => this.#call('/v3/maintenance/hash', {})],
      [1, () => this.#hashKv()],
      [0.3, () => this.#call('/v3/maintenance/defragment', {})],
      [0.5, () => this.#call('/v3/maintenance/snapshot', {})],
      [0.5, () => this.#call('/v3/maintenance/downgrade', { action: 'VALIDATE', version: '9' })],
      [0.5, () => this.#call('/v3/maintenance/transfer-leadership', { targetID: '7' })],
      [2, () => this.#call('/v3/cluster/member/list', { linearizable: random.chance(0.5) })],
      [0.5, () => this.#call('/v3/cluster/member/add', { peerURLs: ['nonsense'] })],
      [0.5, () => this.#call('/v3/cluster/member/remove', { ID: '7' })],
      [0.5, () => this.#call('/v3/cluster/member/update', { ID: '7', peerURLs: ['http://127.0.0.1:1'] })],
      [0.5, () => this.#call('/v3/cluster/member/promote', { ID: '7' })],
      [3, () => this.#contest('/v3/lock/lock', { lease })],
      [2, () => this.#contest('/v3/election/campaign', { lease, value: b64('v') })],
      [2, () => this.#withLeader('/v3/election/proclaim', { value: b64('w') })],
      [1, () => this.#withLeader('/v3/election/resign', {})],
      [2, () => this.#leader()],
      [2, () => this.#unlock()],
    ])()
  }

  /** At the revision itself: without one etcd may answer from what it remembers of a compaction at 0. */
  #hashKv(): Make {
    const headers = this.#caller()
    return ({ revision }) => ({
      path: '/v3/maintenance/hashkv',
      body: { revision: String(revision) },
      headers,
      server: this.#server(),
    })
  }

  /** Root takes it back at once: it refuses what rights are about. */
  #raiseAlarm(): Make {
    const alarm = { memberID: '7', alarm: this.#random.pick(['NOSPACE', 'CORRUPT']) }
    this.#queue.push(this.#asRoot('/v3/maintenance/alarm', { ...alarm, action: 'DEACTIVATE' }))
    return this.#call('/v3/maintenance/alarm', {
      ...alarm,
      action: this.#random.pick(['ACTIVATE', 'DEACTIVATE']),
    })
  }

  /** The name begins as some key of the keyspace does. When there are too many, root deletes the first. */
  #contest(path: string, body: JsonObject): Make {
    const start = Buffer.from(this.#random.pick(KEYS), 'base64')
    const name = Buffer.concat([start, Buffer.from(String(this.#contests.length))])
    const over = this.#contests[this.#contests.push(name) - CONTESTS_MAX]
    if (over !== undefined) {
      const [key, range_end] = ['/', '0'].map((last) =>
        Buffer.concat([over, Buffer.from(last)]).toString('base64'),
      )
      this.#queue.push(this.#asRoot('/v3/kv/deleterange', { key: key ?? '', range_end: range_end ?? '' }))
    }
    return this.#call(path, { ...body, name: name.toString('base64') })
  }

  #withLeader(path: string, body: JsonObject): Make {
    const random = this.#random
    const headers = this.#caller()
    const isKnown = random.chance(0.8)
    const other = { name: random.pick(KEYS), key: random.pick(KEYS), rev: '2', lease: random.pick(LEASES) }
    return ({ leader = other }) => ({
      path,
      body: { ...body, leader: isKnown ? leader : other },
      headers,
      server: this.#server(),
    })
  }

  #leader(): Make {
    const headers = this.#caller()
    const other = this.#random.pick(KEYS)
    const isKnown = this.#random.chance(0.7)
    return ({ leader }) => ({
      path: '/v3/election/leader',
      body: { name: isKnown ? (leader?.name ?? other) : other },
      headers,
      server: this.#server(),
    })
  }

  #unlock(): Make {
    const headers = this.#caller()
    const other = this.#random.pick(KEYS)
    const isKnown = this.#random.chance(0.6)
    return ({ lockKey }) => ({
      path: '/v3/lock/unlock',
      body: { key: isKnown ? lockKey : other },
      headers,
      server: this.#server(),
    })
  }
}

/** The same with the ends of each reversed interval exchanged. */
function forwards<T extends Json>(value: T): T
function forwards(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element: Json) => forwards(element))
  const fields = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, forwards(inner)]))
  const { key, range_end: end } = fields
  if (typeof key !== 'string' || typeof end !== 'string' || end === TO_THE_END) return fields
  const isReversed = Buffer.from(key, 'base64').compare(Buffer.from(end, 'base64')) > 0
  return isReversed ? { ...fields, key: end, range_end: key } : fields
}

/** `count` random requests of a seed, to so many servers under test, and then all there is to read. */
export function rightsOperations(
  seed: number,
  count: number,
  servers: number,
): (state: RightsState, sent: number) => RightsOperation | undefined {
  const generator = new RightsGenerator(seed, servers)
  const ending = generator.ending()
  return (state, sent) => (sent < count ? generator.next(state) : ending[sent - count]?.(state))
}
