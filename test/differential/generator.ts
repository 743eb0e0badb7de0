import { b64, type Json, type JsonObject } from '../support/gateway.ts'
import type { SeededRandom } from '../support/random.ts'

/** One request, ready to be sent; a list of them as JSON can be replayed. */
export interface Operation {
  readonly path: string
  readonly body: JsonObject
}

/** What the generator has to know of the store to aim at it: kept up to date from the answers. */
export interface StoreState {
  revision: number
  compactRevision: number
  /** Where a key was deleted and put again: compacted exactly there, etcd loses the key and ends when it is read. */
  readonly rewritten: Set<number>
}

/**
 * Few keys, so that operations collide, and odd ones: zero bytes, 0xff, one the prefix of another. Twelve at most:
 * with more elements than that etcd's own order of equal elements is not defined.
 */
export const KEYS = ['00', '0000', '61', '6100', '6161', '6162', '62', '62ff', '63', '7f', 'ff', 'ffff'].map(
  hex,
)
/** Ends between and beyond the keys; the zero byte is "to the end of the keyspace". */
export const ENDS = [...KEYS, ...['01', '6101', '64', '6200', 'fe', 'ffffff'].map(hex)]
export const TO_THE_END = hex('00')
const VALUES = ['', 'x', 'y', 'longer value', '\u0000', '\u00ff\u0001'].map(b64)
export const LEASES = ['101', '102', '103', '104']
const UNKNOWN_LEASES = ['999', '-7']

function hex(digits: string): string {
  return Buffer.from(digits, 'hex').toString('base64')
}

/** Whether a transaction may delete a key and put it again: only a delete to the end of the keyspace allows both. */
export function mayRewrite(operation: Operation): boolean {
  const body = JSON.stringify(operation.body)
  return body.includes('request_put') && body.includes(`"range_end":"${TO_THE_END}"`)
}

/** Makes random operations out of one seed. */
export class OperationGenerator {
  readonly #random: SeededRandom
  readonly #stored: readonly string[]

  /** Only the `stored` keys are ever put. */
  constructor(random: SeededRandom, stored: readonly string[] = KEYS) {
    this.#random = random
    this.#stored = stored
  }

  next(state: StoreState): Operation {
    const make = this.#random.weighted<() => Operation>([
      [30, () => ({ path: '/v3/kv/put', body: this.#put(true) })],
      [16, () => ({ path: '/v3/kv/range', body: this.#range(state) })],
      [10, () => ({ path: '/v3/kv/deleterange', body: this.#deleteRange() })],
      [28, () => ({ path: '/v3/kv/txn', body: this.#txn(state, 0, this.#random.chance(0.5)) })],
      [6, () => ({ path: '/v3/lease/grant', body: this.#grant() })],
      [3, () => ({ path: this.#leasePath('revoke'), body: { ID: this.#leaseId() } })],
      [2, () => ({ path: this.#leasePath('timetolive'), body: { ID: this.#leaseId(), keys: true } })],
      [2, () => ({ path: this.#leasePath('leases'), body: {} })],
      [3, () => ({ path: '/v3/kv/compaction', body: this.#compaction(state) })],
    ])
    return make()
  }

  /** A watch of the past, which the server has to answer with events from `start_revision` on. */
  watchRequest(state: StoreState): JsonObject {
    const random = this.#random
    const first = Math.max(state.compactRevision, 1)
    const request: Record<string, Json> = { start_revision: String(random.between(first, state.revision)) }
    Object.assign(request, this.#interval())
    if (random.chance(0.5)) request.prev_kv = true
    if (random.chance(0.3)) request.filters = random.pick([['NOPUT'], ['NODELETE'], ['NOPUT', 'NODELETE']])
    return request
  }

  #leasePath(call: string): string {
    return `${this.#random.pick(['/v3/lease/', '/v3/kv/lease/'])}${call}`
  }

  #leaseId(): string {
    return this.#random.chance(0.85) ? this.#random.pick(LEASES) : this.#random.pick(UNKNOWN_LEASES)
  }

  #grant(): JsonObject {
    // Short times to live would end leases at a moment that differs from server to server.
    const ttl = this.#random.chance(0.05) ? '9000000001' : String(this.#random.between(600, 900))
    return { ID: this.#random.pick(LEASES), TTL: ttl }
  }

  #compaction(state: StoreState): JsonObject {
    const random = this.#random
    const revision = random.weighted<() => number>([
      [6, () => random.between(state.compactRevision, state.revision)],
      [2, () => state.revision],
      [1, () => state.compactRevision],
      [1, () => state.revision + 1],
      [0.5, () => 0],
      [0.5, () => -1],
    ])()
    const spared = state.rewritten.has(revision) ? state.compactRevision : revision
    return { revision: String(spared), physical: true }
  }

  #put(mayIgnore: boolean): JsonObject {
    const random = this.#random
    const put: Record<string, Json> = { key: random.chance(0.02) ? '' : random.pick(this.#stored) }
    if (random.chance(0.9)) put.value = random.pick(VALUES)
    if (random.chance(0.3)) put.lease = this.#leaseId()
    if (random.chance(0.3)) put.prev_kv = true
    if (mayIgnore && random.chance(0.1)) put.ignore_value = true
    if (mayIgnore && random.chance(0.1)) put.ignore_lease = true
    // Mostly well-formed, and sometimes with what etcd refuses: a value or lease beside the flag that ignores it.
    if (put.ignore_value && random.chance(0.8)) delete put.value
    if (put.ignore_lease && random.chance(0.8)) delete put.lease
    return put
  }

  #interval(): { key: string; range_end?: string } {
    const random = this.#random
    const key = random.chance(0.02) ? '' : random.pick(KEYS)
    return random.weighted<() => { key: string; range_end?: string }>([
      [4, () => ({ key })],
      [4, () => ({ key, range_end: random.pick(ENDS) })],
      [1.5, () => ({ key, range_end: TO_THE_END })],
      [1, () => ({ key: TO_THE_END, range_end: TO_THE_END })],
    ])()
  }

  #range(state: StoreState): JsonObject {
    const random = this.#random
    const near = () => String(random.between(state.compactRevision - 1, state.revision + 1))
    const range: Record<string, Json> = this.#interval()
    if (random.chance(0.3)) range.revision = near()
    if (random.chance(0.3)) range.limit = String(random.between(-1, 5))
    if (random.chance(0.35)) range.sort_order = random.pick(['NONE', 'ASCEND', 'DESCEND', 2, 9])
    if (random.chance(0.35)) range.sort_target = random.pick(['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE', 9])
    if (random.chance(0.1)) range.keys_only = true
    if (random.chance(0.1)) range.count_only = true
    if (random.chance(0.1)) range.serializable = true
    for (const field of [
      'min_mod_revision',
      'max_mod_revision',
      'min_create_revision',
      'max_create_revision',
    ]) {
      if (random.chance(0.08)) range[field] = near()
    }
    return range
  }

  #deleteRange(): JsonObject {
    const request: Record<string, Json> = this.#interval()
    if (this.#random.chance(0.3)) request.prev_kv = true
    return request
  }

  /**
   * A transaction either deletes to the end of the keyspace or has puts that ignore value or lease, never both:
   * the two together, on one key, make etcd 3.6 panic, and again at each restart.
   */
  #txn(state: StoreState, depth: number, mayIgnore: boolean): JsonObject {
    const random = this.#random
    const several = (most: number, make: () => JsonObject) =>
      Array.from({ length: random.between(0, most) }, make)
    return {
      compare: several(2, () => this.#compare(state)),
      success: several(4, () => this.#requestOp(state, depth, mayIgnore)),
      failure: several(3, () => this.#requestOp(state, depth, mayIgnore)),
    }
  }

  #requestOp(state: StoreState, depth: number, mayIgnore: boolean): JsonObject {
    const random = this.#random
    return random.weighted<() => JsonObject>([
      [8, () => ({ request_put: this.#put(mayIgnore) })],
      [5, () => ({ request_range: this.#range(state) })],
      [3, () => ({ request_delete_range: this.#deleteInTxn(mayIgnore) })],
      [depth < 2 ? 2 : 0, () => ({ request_txn: this.#txn(state, depth + 1, mayIgnore) })],
      [0.1, () => ({})],
    ])()
  }

  #deleteInTxn(mayIgnore: boolean): JsonObject {
    const request = this.#deleteRange()
    if (mayIgnore && request.range_end === TO_THE_END) return { ...request, range_end: ENDS[3] as string }
    return request
  }

  #compare(state: StoreState): JsonObject {
    const random = this.#random
    const compare: Record<string, Json> = random.chance(0.3) ? this.#interval() : { key: random.pick(KEYS) }
    if (random.chance(0.85)) compare.result = random.pick(['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL', 3, 9])
    if (random.chance(0.9)) {
      compare.target = random.pick(['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE', 2, 9])
    }
    const revision = String(random.chance(0.5) ? 0 : random.between(state.revision - 8, state.revision))
    Object.assign(
      compare,
      random.pick<JsonObject>([
        {},
        { version: String(random.between(0, 3)) },
        { create_revision: revision },
        { mod_revision: revision },
        { value: random.pick(VALUES) },
        { lease: random.chance(0.4) ? '0' : random.pick(LEASES) },
      ]),
    )
    return compare
  }
}
