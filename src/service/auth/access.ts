import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Rights, UserRights } from '../../store/auth/authentication.ts'
import type { Store } from '../../store/store.ts'
import type { Call } from '../call.ts'
import {
  Anyone,
  type Caller,
  Nobody,
  Refusal,
  type RightsInForce,
  User,
  type UserIdentity,
} from './caller.ts'
import { claimedUser, type Tokens } from './tokens.ts'

/** What is known of the rights, all of it under one version of them. */
interface Known extends RightsInForce {
  readonly signingKey: Uint8Array
  /** By the user's name; undefined: there is no such user. */
  readonly users: Map<string, Rights['user']>
}

interface UserRead {
  readonly known: Known
  readonly rights: Rights['user']
}

/** Where what is known of the rights is kept, if the application itself lives for one request only. */
export interface AccessMemory {
  known?: Known
}

export interface AccessOptions {
  /** Asked in the server's own name. */
  readonly store: Store
  readonly tokens: Tokens
  readonly memory?: AccessMemory
}

const NO_RIGHTS: UserRights = { passwordVersion: 0n, roles: [], permissions: [] }

/** Each further try means that the rights were changed just then. */
const TRIES_MAX = 100

/**
 * Finds out who makes a call and what they may do (docs/adr/0005-authorization.md). Rights are read once for each version
 * of them and user; whatever is then asked of the store carries the version, and the store refuses under another.
 */
export class Access {
  readonly #store: Store
  readonly #tokens: Tokens
  readonly #memory: AccessMemory
  /** The callers of the known version, by name; made of what is known, so they may be thrown away. */
  readonly #callers = new Map<string, Caller>()
  #callersOf: Known | undefined
  readonly #reading = new Map<string, Promise<UserRead>>()

  constructor({ store, tokens, memory }: AccessOptions) {
    this.#store = store
    this.#tokens = tokens
    this.#memory = memory ?? {}
  }

  /**
   * Does the work of a call in the name of whoever makes it, or of one who was let in `before`. When the rights change
   * meanwhile the work has not happened: it is done again from the start, under the new ones. And nobody is turned away for
   * rights that are out of date.
   * @throws EtcdError InvalidAuthToken, and as the work does
   */
  async as<T>(call: Call, work: (caller: Caller) => Promise<T>, before?: Caller): Promise<T> {
    for (let tries = 1; ; tries++) {
      const known = await this.#known(call.token)
      try {
        return await work(await this.#caller(known, call, before?.identity))
      } catch (error) {
        if (tries === TRIES_MAX || !(await this.#isOutdated(error, known))) throw error
      }
    }
  }

  /** Whether the work failed only because the rights are others by now. */
  async #isOutdated(error: unknown, { authVersion }: Known): Promise<boolean> {
    if (!(error instanceof EtcdError)) return false
    if (error.is('AuthOldRevision')) {
      this.#forget(authVersion)
      return true
    }
    if (!(error instanceof Refusal)) return false
    // A read that others had begun already might not know of a change from before this call.
    const { known } = await this.#readNow(undefined)
    return known.authVersion !== authVersion
  }

  /**
   * What somebody may do now who was let in before, for what goes on for long. The time of the token doesn't matter any
   * more, but the user must still be there, with the same password.
   * @throws EtcdError InvalidAuthToken
   */
  async again(caller: Caller, call: Call): Promise<Caller> {
    return await this.#caller(await this.#known(call.token), call, caller.identity)
  }

  /** Told that the rights were changed just now: nothing that was known of them holds. */
  changed(): void {
    delete this.#memory.known
  }

  /** Told of a version of the rights that was seen in the store. */
  observe(authVersion: bigint): void {
    if (this.#memory.known?.authVersion !== authVersion) delete this.#memory.known
  }

  #forget(authVersion: bigint): void {
    if (this.#memory.known?.authVersion === authVersion) delete this.#memory.known
  }

  /** Whoever makes the call; `letIn` is who was let in before. */
  async #caller(known: Known, call: Call, letIn: UserIdentity | undefined): Promise<Caller> {
    if (!known.enabled) return this.#unnamed(known)
    if (letIn !== undefined) return await this.#user(letIn)
    if (call.token === undefined) {
      const name = call.certificateName
      return name === undefined
        ? this.#unnamed(known)
        : await this.#user({ name, passwordVersion: undefined })
    }
    const { clusterId } = await this.#store.identity()
    const identity = await this.#tokens.verify(call.token, clusterId, known.signingKey)
    if (identity === undefined) throw new Refusal('InvalidAuthToken')
    return await this.#user(identity)
  }

  async #user(identity: UserIdentity): Promise<Caller> {
    const { known, rights } = await this.#rightsOf(identity.name)
    if (!known.enabled) return this.#unnamed(known)
    const byCertificate = identity.passwordVersion === undefined
    if (!byCertificate && rights?.passwordVersion !== identity.passwordVersion) {
      throw new Refusal('InvalidAuthToken')
    }
    // As in etcd, a certificate may name somebody who is no user, and may do nothing then.
    const user = () => new User(known, this.#store, identity, rights ?? NO_RIGHTS)
    return this.#remembered(known, `${byCertificate ? 'certificate' : 'token'} ${identity.name}`, user)
  }

  /** Nobody in particular, who has no name. */
  #unnamed(known: Known): Caller {
    const Unnamed = known.enabled ? Nobody : Anyone
    return this.#remembered(known, '', () => new Unnamed(known, this.#store))
  }

  /** The caller made of these rights, made once. */
  #remembered(known: Known, name: string, make: () => Caller): Caller {
    if (this.#callersOf !== known) {
      this.#callersOf = known
      this.#callers.clear()
    }
    let caller = this.#callers.get(name)
    if (caller === undefined) {
      caller = make()
      if (this.#callers.size >= LIMITS.usersRememberedMax) this.#callers.clear()
      this.#callers.set(name, caller)
    }
    return caller
  }

  /** A token says whose rights will be asked for next: reading them along saves a statement, whether it is good or not. */
  async #known(token: string | undefined): Promise<Known> {
    return (
      this.#memory.known ?? (await this.#read(token === undefined ? undefined : claimedUser(token))).known
    )
  }

  async #rightsOf(name: string): Promise<UserRead> {
    const known = this.#memory.known
    if (known?.users.has(name)) return { known, rights: known.users.get(name) }
    return await this.#read(name)
  }

  /** One read at a time for each user, which all who ask share. */
  #read(name: string | undefined): Promise<UserRead> {
    const key = name ?? ''
    let reading = this.#reading.get(key)
    if (reading === undefined) {
      reading = this.#readNow(name).finally(() => this.#reading.delete(key))
      this.#reading.set(key, reading)
    }
    return reading
  }

  async #readNow(name: string | undefined): Promise<UserRead> {
    const { user: rights, ...inForce } = await this.#store.authentication.rights(name)
    let known = this.#memory.known
    if (known?.authVersion !== inForce.authVersion) {
      known = { ...inForce, users: new Map() }
      this.#memory.known = known
    }
    if (name !== undefined) {
      if (known.users.size >= LIMITS.usersRememberedMax) known.users.clear()
      known.users.set(name, rights)
    }
    return { known, rights }
  }
}
