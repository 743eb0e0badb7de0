import type { Headers, Json, JsonObject } from '../support/gateway.ts'
import type { SeededRandom } from '../support/random.ts'
import { ENDS, KEYS, TO_THE_END } from './generator.ts'
import { asHolderOf, ROOT_SLOT, randomCaller } from './rights-callers.ts'
import type { RightsOperation, RightsState } from './rights-run.ts'

/** Makes a request once it is known what came before. */
export type Make = (state: RightsState) => RightsOperation

export const EVERYTHING = { key: TO_THE_END, range_end: TO_THE_END }

/** Requests of random callers to random ones of the servers under test. */
export class Requests {
  readonly random: SeededRandom
  /** What has to come next. */
  readonly queue: Make[] = []
  readonly #servers: number

  constructor(random: SeededRandom, servers: number) {
    this.random = random
    this.#servers = servers
  }

  call(path: string, body: JsonObject, headers = this.caller()): Make {
    return () => this.operation(path, body, headers)
  }

  asRoot(path: string, body: JsonObject): Make {
    return this.call(path, body, asHolderOf(ROOT_SLOT))
  }

  operation(path: string, body: JsonObject, headers: Headers): RightsOperation {
    return { path, body, headers, server: this.random.between(0, this.#servers - 1) }
  }

  caller(): Headers {
    return randomCaller(this.random)
  }

  /** Managing is mostly root's, or nothing would ever change. */
  manager(): Headers {
    return this.random.chance(0.75) ? asHolderOf(ROOT_SLOT) : this.caller()
  }

  interval(): { key: string; range_end?: string } {
    const random = this.random
    const key = random.chance(0.02) ? '' : random.pick(KEYS)
    return random.weighted<() => { key: string; range_end?: string }>([
      [3, () => ({ key })],
      [4, () => ({ key, range_end: random.pick(ENDS) })],
      [2, () => ({ key, range_end: TO_THE_END })],
      [0.5, () => EVERYTHING],
    ])()
  }
}

/** The same with the ends of each reversed interval exchanged. */
export function forwards<T extends Json>(value: T): T
export function forwards(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element: Json) => forwards(element))
  const fields = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, forwards(inner)]))
  const { key, range_end: end } = fields
  if (typeof key !== 'string' || typeof end !== 'string' || end === TO_THE_END) return fields
  const isReversed = Buffer.from(key, 'base64').compare(Buffer.from(end, 'base64')) > 0
  return isReversed ? { ...fields, key: end, range_end: key } : fields
}
