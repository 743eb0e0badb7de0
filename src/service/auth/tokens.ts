import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { decodeJwt, errors, jwtVerify, SignJWT } from 'jose'
import * as z from 'zod/mini'
import type { Clock } from '../../environment.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { UserIdentity } from './caller.ts'
import type { TokenKey } from './token-key.ts'

export interface TokenOptions {
  readonly key: TokenKey
  /** How long a token is good for, in seconds. */
  readonly ttl: number
  readonly clock: Clock
}

/** What a token that was checked says. */
interface Verified extends UserIdentity {
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

/** What signs and what checks, with the algorithm. */
interface Keys {
  readonly algorithm: string
  readonly sign: KeyObject | Uint8Array
  readonly verify: KeyObject | Uint8Array
}

const Claims = z.object({ sub: z.string(), exp: z.number(), pwv: z.string().check(z.regex(/^\d{1,18}$/)) })

/** Far more than any clock is off: whether a token's time is over is decided here, by the server's clock. */
const EVERY_TOLERANCE_SECONDS = 2 ** 40

/** Of the key that is made with the store. */
const MADE_KEY_BYTES = 32

/**
 * Signed tokens (JWT): any instance can check one by itself, and it ends with the password that it was given for or after
 * its time, whichever is first. It says nothing of the user's rights, which may change under it.
 *
 * A token names the cluster as its audience: one store's tokens are worth nothing to another that has the same secret.
 */
export class Tokens {
  readonly #options: TokenOptions
  readonly #verified = new Map<string, Verified>()
  #keys: { readonly clusterId: bigint; readonly storedKey: Uint8Array; readonly keys: Keys } | undefined

  constructor(options: TokenOptions) {
    this.#options = options
  }

  /** A token for a user of this cluster; `storedKey` is the store's own key. */
  async sign(user: UserIdentity, clusterId: bigint, storedKey: Uint8Array): Promise<string> {
    const { algorithm, sign } = this.#keysOf(clusterId, storedKey)
    const { clock, ttl } = this.#options
    const issuedAt = Math.floor(clock.now() / 1000)
    return await new SignJWT({ pwv: String(user.passwordVersion) })
      .setProtectedHeader({ alg: algorithm })
      .setSubject(user.name)
      .setAudience(String(clusterId))
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + ttl)
      .sign(sign)
  }

  /** Who the token was given to; undefined when it isn't a token of ours, or its time is over. */
  async verify(token: string, clusterId: bigint, storedKey: Uint8Array): Promise<UserIdentity | undefined> {
    const keys = this.#keysOf(clusterId, storedKey)
    const verified = this.#verified.get(token) ?? (await this.#check(token, clusterId, keys))
    if (verified === undefined || verified.expiresAtMs <= this.#options.clock.now()) return undefined
    this.#remember(token, verified)
    return verified
  }

  /** Signs a token and checks it. Fails with an Error that says why the keys of the deployment are no good for that. */
  async tryKeys(): Promise<void> {
    const stored = new Uint8Array(MADE_KEY_BYTES)
    const token = await this.sign({ name: '', passwordVersion: 0n }, 0n, stored)
    // Not its time: that may be over already, where a token lives for a second.
    if ((await this.#check(token, 0n, this.#keysOf(0n, stored))) === undefined) {
      throw new Error('the public key is not the private one’s')
    }
  }

  async #check(token: string, clusterId: bigint, { algorithm, verify }: Keys): Promise<Verified | undefined> {
    try {
      const { payload } = await jwtVerify(token, verify, {
        algorithms: [algorithm],
        audience: String(clusterId),
        clockTolerance: EVERY_TOLERANCE_SECONDS,
      })
      const { data: claims } = Claims.safeParse(payload)
      if (claims === undefined) return undefined
      const { sub: name, pwv, exp } = claims
      return { name, passwordVersion: BigInt(pwv), expiresAtMs: exp * 1000 }
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }

  /** Checking a signature costs more than many a request: so it is done once for a token, as long as there is room. */
  #remember(token: string, verified: Verified): void {
    this.#verified.set(token, verified)
    if (this.#verified.size <= LIMITS.tokensRememberedMax) return
    const [oldest] = this.#verified.keys()
    if (oldest !== undefined) this.#verified.delete(oldest)
  }

  #keysOf(clusterId: bigint, storedKey: Uint8Array): Keys {
    const known = this.#keys
    if (known?.clusterId === clusterId && isSame(known.storedKey, storedKey)) return known.keys
    const keys = keysOf(this.#options.key, storedKey)
    // Another store has come into this one's place: nothing that was checked before counts there.
    this.#verified.clear()
    this.#keys = { clusterId, storedKey, keys }
    return keys
  }
}

/** Whom a token claims to be of, which nobody has checked yet; undefined when it is no token. */
export function claimedUser(token: string): string | undefined {
  try {
    const { sub }: { sub?: unknown } = decodeJwt(token)
    return typeof sub === 'string' ? sub : undefined
  } catch (error) {
    if (error instanceof errors.JWTInvalid) return undefined
    throw error
  }
}

function keysOf(key: TokenKey, storedKey: Uint8Array): Keys {
  switch (key.kind) {
    case 'stored':
      return { algorithm: 'HS256', sign: storedKey, verify: storedKey }
    case 'secret':
      return { algorithm: key.algorithm, sign: key.secret, verify: key.secret }
    case 'keys':
      return {
        algorithm: key.algorithm,
        sign: createPrivateKey(key.privateKeyPem),
        verify: createPublicKey(key.publicKeyPem ?? key.privateKeyPem),
      }
    default:
      return key satisfies never
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
