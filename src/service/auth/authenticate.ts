import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { Slots } from '../../slots.ts'
import type { Store } from '../../store/store.ts'
import { passwordMatches } from './password.ts'
import type { Tokens } from './tokens.ts'

/**
 * Lets users in by their passwords. Checking one costs a tenth of a second of CPU time on purpose, so only a few are
 * checked at a time.
 */
export class PasswordDoor {
  readonly #store: Store
  readonly #tokens: Tokens
  readonly #slots = new Slots(LIMITS.passwordChecksMax)
  #waiting = 0

  constructor(store: Store, tokens: Tokens) {
    this.#store = store
    this.#tokens = tokens
  }

  /**
   * Gives a token, and the store's revision for the answer's header.
   * @throws EtcdError AuthNotEnabled, NoPasswordUser, AuthFailed (for a wrong name as for a wrong password),
   * TooManyRequests
   */
  async authenticate(
    name: string,
    password: string,
    signal: AbortSignal,
  ): Promise<{ token: string; revision: bigint }> {
    const { head, enabled, signingKey, user } = await this.#store.authentication.password(name)
    if (!enabled) throw EtcdError.of('AuthNotEnabled')
    if (user?.noPassword === true) throw EtcdError.of('NoPasswordUser')
    const matches = await this.#inTurn(signal, () => passwordMatches(password, user?.password))
    if (user === undefined || !matches) throw EtcdError.of('AuthFailed')
    const { clusterId } = await this.#store.identity()
    const identity = { name, passwordVersion: user.passwordVersion }
    return { token: await this.#tokens.sign(identity, clusterId, signingKey), revision: head.revision }
  }

  async #inTurn<T>(signal: AbortSignal, check: () => Promise<T>): Promise<T> {
    if (this.#waiting >= LIMITS.passwordChecksWaitingMax) throw EtcdError.of('TooManyRequests')
    this.#waiting++
    try {
      return await this.#slots.run(signal, check)
    } finally {
      this.#waiting--
    }
  }
}
