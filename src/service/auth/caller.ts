import { ETCD_ERRORS, EtcdError } from '../../etcd/errors.ts'
import { Permission_Type as PermissionType } from '../../etcd/generated/authpb/auth_pb.ts'
import type { Proposer } from '../../etcd/proposal-size.ts'
import type { UserRights } from '../../store/auth/authentication.ts'
import type { Authority, KeyInterval } from '../../store/authority.ts'
import type { Store } from '../../store/store.ts'
import { KeySet, keyInterval } from './intervals.ts'

/** Whoever has it may do everything. */
export const ROOT_ROLE = 'root'

/** A call was turned away for lack of rights, as far as they are known. */
export class Refusal extends EtcdError {
  constructor(name: 'UserEmpty' | 'PermissionDenied' | 'InvalidAuthToken') {
    const [code, message] = ETCD_ERRORS[name]
    super(code, message)
  }
}

/** Who somebody proved to be. */
export interface UserIdentity {
  readonly name: string
  /** The password that the token was given for; undefined: a certificate says who it is. */
  readonly passwordVersion: bigint | undefined
}

/** The rights that are in force, whoever asks. */
export interface RightsInForce {
  readonly enabled: boolean
  readonly authVersion: bigint
  /** etcd's: as auth/status tells it. */
  readonly authRevision: bigint
}

/**
 * Whoever makes a call, and what they may do under one version of the rights. Each `must…` fails with the error that etcd
 * gives for lack of that right: `UserEmpty` without a token, `PermissionDenied` with one. While authentication is off,
 * none does.
 */
export abstract class Caller {
  readonly inForce: RightsInForce
  /** The store, asked in the caller's name: it refuses once the rights are others. */
  readonly store: Store
  readonly identity: UserIdentity | undefined

  protected constructor(inForce: RightsInForce, store: Store, identity?: UserIdentity) {
    this.inForce = inForce
    this.store = store
    this.identity = identity
  }

  /** Whom etcd names in a proposal; it counts for the size of a request. */
  get proposer(): Proposer | undefined {
    if (this.identity === undefined) return undefined
    return { name: this.identity.name, authRevision: this.inForce.authRevision }
  }

  /**
   * For calls that ask the store for nothing else: that these rights are still in force; also that authentication is still
   * off. One statement.
   * @throws EtcdError AuthOldRevision
   */
  async confirm(): Promise<void> {
    await this.store.head()
  }

  /** Any user will do. */
  abstract mustBeKnown(): void
  /** A user with the role `root`. */
  abstract mustBeRoot(): void
  abstract mustRead(key: Uint8Array, rangeEnd: Uint8Array): void
  abstract mustWrite(key: Uint8Array, rangeEnd: Uint8Array): void
  /** Whether the user has the role. */
  abstract hasRole(role: string): boolean
}

/** While authentication is off. */
export class Anyone extends Caller {
  constructor(inForce: RightsInForce, store: Store) {
    super(inForce, store.under({ authVersion: inForce.authVersion, unreadable: [], unwritable: [] }))
  }

  override mustBeKnown(): void {}
  override mustBeRoot(): void {}
  override mustRead(): void {}
  override mustWrite(): void {}

  override hasRole(): boolean {
    return true
  }
}

/** Somebody without a token, while authentication is on. */
export class Nobody extends Caller {
  constructor(inForce: RightsInForce, store: Store) {
    const everything = KeySet.of([]).gaps()
    super(
      inForce,
      store.under({ authVersion: inForce.authVersion, unreadable: everything, unwritable: everything }),
    )
  }

  override mustBeKnown(): void {
    throw new Refusal('UserEmpty')
  }

  override mustBeRoot(): void {
    throw new Refusal('UserEmpty')
  }

  override mustRead(): void {
    throw new Refusal('UserEmpty')
  }

  override mustWrite(): void {
    throw new Refusal('UserEmpty')
  }

  override hasRole(): boolean {
    return false
  }
}

/** A user, while authentication is on. */
export class User extends Caller {
  readonly #roles: ReadonlySet<string>
  readonly #isRoot: boolean
  readonly #readable: KeySet
  readonly #writable: KeySet

  constructor(inForce: RightsInForce, store: Store, identity: UserIdentity, rights: UserRights) {
    const isRoot = rights.roles.includes(ROOT_ROLE)
    const readable = isRoot ? KeySet.all : permitted(rights, PermissionType.READ)
    const writable = isRoot ? KeySet.all : permitted(rights, PermissionType.WRITE)
    const authority: Authority = {
      authVersion: inForce.authVersion,
      unreadable: readable.gaps(),
      unwritable: writable.gaps(),
    }
    super(inForce, store.under(authority), identity)
    this.#roles = new Set(rights.roles)
    this.#isRoot = isRoot
    this.#readable = readable
    this.#writable = writable
  }

  override mustBeKnown(): void {}

  override mustBeRoot(): void {
    if (!this.#isRoot) throw new Refusal('PermissionDenied')
  }

  override mustRead(key: Uint8Array, rangeEnd: Uint8Array): void {
    if (!this.#readable.contains(keyInterval(key, rangeEnd))) throw new Refusal('PermissionDenied')
  }

  override mustWrite(key: Uint8Array, rangeEnd: Uint8Array): void {
    if (!this.#writable.contains(keyInterval(key, rangeEnd))) throw new Refusal('PermissionDenied')
  }

  override hasRole(role: string): boolean {
    return this.#roles.has(role)
  }
}

/** The keys that the user has this right on; an unknown type of permission gives none. */
function permitted({ permissions }: UserRights, type: PermissionType): KeySet {
  const intervals: KeyInterval[] = permissions
    .filter(({ permType }) => permType === type || permType === PermissionType.READWRITE)
    .map(({ key, rangeEnd }) => keyInterval(key, rangeEnd))
  return KeySet.of(intervals)
}
