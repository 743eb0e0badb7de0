import { EtcdError } from '../../etcd/errors.ts'
import type { Access } from '../auth/access.ts'
import { type Caller, Refusal } from '../auth/caller.ts'
import type { Call } from '../call.ts'
import type { KeyRange } from './key-range.ts'

/** What a watch needs to know of access to the store. */
export type WatchAccess = Pick<Access, 'as' | 'again' | 'observe'>

/**
 * The rights of one client to what it watches. They are asked for each watch when it begins, with the client's token as it
 * is then, and again for all of them whenever the store's rights have changed: not with the token, whose time may be over,
 * but for the user who was let in.
 */
export class ReaderRights {
  readonly #access: WatchAccess
  readonly #call: Call
  /** Of the last watch that was let in, or of the last time that all were asked for. */
  #caller: Caller | undefined
  /** Whether all watches were permitted under the rights of that caller. */
  #isUniform = true
  #admitted = 0

  constructor(access: WatchAccess, call: Call) {
    this.#access = access
    this.#call = call
  }

  /** Whether everything that the client watches was permitted under this version of the rights. */
  areOf(authVersion: bigint): boolean {
    return this.#caller === undefined || (this.#isUniform && this.#caller.inForce.authVersion === authVersion)
  }

  /** Whether it matters who the client is: not while authentication is off. */
  get areChecked(): boolean {
    return this.#caller?.inForce.enabled ?? false
  }

  /** Whether everything that the client watches was permitted under rights that came after this version. */
  areLaterThan(authVersion: bigint): boolean {
    return this.#isUniform && this.#caller !== undefined && this.#caller.inForce.authVersion > authVersion
  }

  /**
   * Lets a watch begin.
   * @throws EtcdError UserEmpty, InvalidAuthToken, PermissionDenied
   */
  async admit({ key, rangeEnd }: KeyRange): Promise<void> {
    const caller = await this.#access.as(this.#call, async (caller) => {
      caller.mustRead(key, rangeEnd)
      return caller
    })
    // Where the client's other watches were permitted under other rights, the next page has all of them asked for again.
    if (!this.areOf(caller.inForce.authVersion)) this.#isUniform = false
    this.#caller = caller
    this.#admitted++
  }

  /**
   * Asks again under the rights that are in force now, which are those of `authVersion` or later ones. Gives the error with
   * which a watch of a range has to end, if any.
   * @throws EtcdError when the rights can't be read; AuthOldRevision when all that is known is from before that version
   */
  async renew(authVersion: bigint): Promise<(range: KeyRange) => EtcdError | undefined> {
    const before = this.#caller
    if (before === undefined) return () => undefined
    const admitted = this.#admitted
    try {
      const caller = await this.#access.again(before, this.#call)
      // A read of the rights that others had begun already might not know of a change from before this call.
      if (caller.inForce.authVersion < authVersion) throw EtcdError.of('AuthOldRevision')
      this.#caller = caller
      // A watch that began meanwhile may have been permitted under other rights than these.
      this.#isUniform = this.#admitted === admitted
      return ({ key, rangeEnd }) => refusal(() => caller.mustRead(key, rangeEnd))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return () => error
    }
  }
}

function refusal(ask: () => void): EtcdError | undefined {
  try {
    ask()
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}
