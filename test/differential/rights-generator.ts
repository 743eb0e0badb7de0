import { SeededRandom } from '../support/random.ts'
import { KEYS, LEASES, OperationGenerator } from './generator.ts'
import { ROOT_SLOT, USERS } from './rights-callers.ts'
import { RightsChanges, ROLES } from './rights-changes.ts'
import { CONTESTS_MAX, OtherCalls } from './rights-other-calls.ts'
import { EVERYTHING, forwards, type Make, Requests } from './rights-requests.ts'
import type { RightsOperation, RightsState } from './rights-run.ts'

/** Makes random requests of random callers out of one seed; the first ones switch authentication on. */
class RightsGenerator {
  readonly #requests: Requests
  readonly #keys: OperationGenerator
  readonly #changes: RightsChanges
  readonly #others: OtherCalls

  constructor(seed: number, servers: number) {
    const random = new SeededRandom(seed)
    this.#requests = new Requests(random, servers)
    this.#keys = new OperationGenerator(random, KEYS.slice(CONTESTS_MAX))
    this.#changes = new RightsChanges(this.#requests, this.#keyCall)
    this.#others = new OtherCalls(this.#requests)
    this.#requests.queue.push(...this.#changes.beginning())
  }

  next(state: RightsState): RightsOperation {
    const { queue, random } = this.#requests
    const make =
      queue.shift() ??
      random.weighted<() => Make>([
        [60, () => this.#keyCall],
        [40, () => this.#changes.next()],
        [24, () => this.#others.next()],
      ])()
    return make(state)
  }

  /** All there is to read in the end. */
  ending(): Make[] {
    const asRoot = this.#requests.asRoot.bind(this.#requests)
    return [
      this.#changes.authenticate('root', 0),
      asRoot('/v3/kv/range', EVERYTHING),
      ...['status', 'user/list', 'role/list'].map((call) => asRoot(`/v3/auth/${call}`, {})),
      ...USERS.map((name) => asRoot('/v3/auth/user/get', { name })),
      ...ROLES.map((role) => asRoot('/v3/auth/role/get', { role })),
      ...LEASES.map((ID) => asRoot('/v3/lease/timetolive', { ID, keys: true })),
    ]
  }

  /**
   * Whether somebody with several permissions may have an interval that ends before it begins, which holds no key,
   * depends in etcd on how its tree of them happens to be balanced: only those ask for it who may do all or nothing.
   */
  readonly #keyCall: Make = (state) => {
    const { path, body } = this.#keys.next(state)
    const headers = this.#requests.caller()
    const mayBeReversed = Object.keys(headers).length === 0 || headers.authorization === `{${ROOT_SLOT}}`
    return this.#requests.operation(path, mayBeReversed ? body : forwards(body), headers)
  }
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
