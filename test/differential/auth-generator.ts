import { b64, type Json, type JsonObject } from '../support/gateway.ts'
import { SeededRandom } from '../support/random.ts'
import type { Operation } from './generator.ts'

/** Few names, so that operations collide, and odd ones; the empty one is refused. */
const NAMES = ['root', 'a', 'ab', 'A', '\u0000', '\u0000a', '\ufeffbom', '\u00fc', '\u{1f511}', '\uffff', '']
/** bcrypt ends at 72 bytes. */
const PASSWORDS = ['', 'pw', 'p\u0000w', '\u00fc'.repeat(36), `${'\u00fc'.repeat(36)}x`]
const HASHES = ['', 'aGk=', 'a\nGk\r=', 'aGk', 'aG k=', '-_-_', '!']
const KEYS = ['a', 'b', 'a\0', 'c', '\0', ''].map(b64)
const ENDS = ['c', '\0', '', 'a', 'b', 'd', '\0\0'].map(b64)
const TYPES: readonly Json[] = ['READ', 'WRITE', 'READWRITE', 0, 2, 9, -5, 'NOBODY']

/** With more elements than this, Go's sort may put permissions of one key in any order. */
const PERMISSIONS_MAX = 12

/** `count` random calls of user and role management out of one seed, and then all there is to read. */
export function authOperations(seed: number, count: number): Operation[] {
  const generator = new AuthGenerator(new SeededRandom(seed))
  const operations = Array.from({ length: count }, () => generator.next())
  return [...operations, ...everything()]
}

function everything(): Operation[] {
  return [
    auth('status', {}),
    auth('user/list', {}),
    auth('role/list', {}),
    ...NAMES.flatMap((name) => [auth('user/get', { name }), auth('role/get', { role: name })]),
  ]
}

function auth(call: string, body: JsonObject): Operation {
  return { path: `/v3/auth/${call}`, body }
}

class AuthGenerator {
  readonly #random: SeededRandom
  /** How many permissions a role can have at most by now. */
  readonly #granted = new Map<string, number>()

  constructor(random: SeededRandom) {
    this.#random = random
  }

  next(): Operation {
    const name = this.#name()
    const make = this.#random.weighted<() => Operation>([
      [10, () => auth('user/add', { name, ...this.#password() })],
      [3, () => auth('user/delete', { name })],
      [6, () => auth('user/changepw', { name, ...this.#password() })],
      [14, () => auth('user/grant', { user: name, role: this.#name() })],
      [9, () => auth('user/revoke', { name, role: this.#name() })],
      [6, () => auth('user/get', { name })],
      [2, () => auth('user/list', {})],
      [10, () => auth('role/add', { name })],
      [2, () => this.#roleDelete(name)],
      [24, () => this.#roleGrant(name)],
      [8, () => auth('role/revoke', { role: name, ...this.#interval() })],
      [8, () => auth('role/get', { role: name })],
      [2, () => auth('role/list', {})],
      [6, () => auth('status', {})],
      [1, () => auth('disable', {})],
      [1, () => auth('authenticate', { name, password: 'pw' })],
    ])
    return make()
  }

  #name(): string {
    return this.#mostly(NAMES, 3)
  }

  /** Three times of four one of the `few` that come first, so that what is asked for is often there. */
  #mostly(choices: readonly string[], few: number): string {
    return this.#random.pick(this.#random.chance(0.75) ? choices.slice(0, few) : choices)
  }

  #password(): JsonObject {
    const random = this.#random
    const body: Record<string, Json> = {}
    if (random.chance(0.6)) body.password = random.pick(PASSWORDS)
    if (random.chance(0.3)) body.hashedPassword = random.pick(HASHES)
    if (random.chance(0.3)) body.options = random.pick<JsonObject>([{}, { no_password: true }])
    return body
  }

  #interval(): { key: string; range_end?: string } {
    const key = this.#mostly(KEYS, 2)
    return this.#random.chance(0.6) ? { key, range_end: this.#mostly(ENDS, 3) } : { key }
  }

  #roleGrant(name: string): Operation {
    const granted = this.#granted.get(name) ?? 0
    if (granted === PERMISSIONS_MAX) return this.#roleDelete(name)
    this.#granted.set(name, granted + 1)
    if (this.#random.chance(0.05)) return auth('role/grant', { name })
    const perm: JsonObject = this.#interval()
    const typed = this.#random.chance(0.8) ? { ...perm, permType: this.#random.pick(TYPES) } : perm
    return auth('role/grant', { name, perm: typed })
  }

  #roleDelete(role: string): Operation {
    this.#granted.delete(role)
    return auth('role/delete', { role })
  }
}
