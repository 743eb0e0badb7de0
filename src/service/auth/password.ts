import { timingSafeEqual } from 'node:crypto'
import { compare as bcryptMatches } from 'bcryptjs'
import type { Random } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { StoredPassword } from '../../store/auth/password.ts'

const HASH_BITS = 256
/** Up to a cost of 14, which takes seconds; a cost of 31, the largest, would take days. */
const BCRYPT_HASH = /^\$2[abxy]?\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$/
/** Go's base64.StdEncoding, without the line breaks that it skips. */
const STANDARD_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Holds a password to bcrypt's limit: what etcd would refuse isn't accepted here.
 * @throws EtcdError PasswordTooLong
 */
export function checkPasswordLength(password: string): void {
  if (Buffer.byteLength(password) > LIMITS.passwordBytesMax) throw EtcdError.of('PasswordTooLong')
}

/** PBKDF2 with a new salt: what WebCrypto has on every platform, where bcrypt is nowhere. */
export async function hashPassword(password: string, random: Random): Promise<StoredPassword> {
  const salt = new Uint8Array(BigInt64Array.of(random.int63(), random.int63()).buffer)
  const iterations = LIMITS.passwordIterations
  return { scheme: 'pbkdf2-sha256', hash: await derive(password, salt, iterations), salt, iterations }
}

/**
 * Whether this is the password that was stored. Where nothing is stored it isn't, and that takes as long: how long an
 * answer takes doesn't tell whether there is such a user.
 */
export async function passwordMatches(
  password: string,
  stored: StoredPassword | undefined,
): Promise<boolean> {
  switch (stored?.scheme) {
    case undefined:
      await derive(password, new Uint8Array(16), LIMITS.passwordIterations)
      return false
    case 'pbkdf2-sha256': {
      const { hash, salt, iterations } = stored
      const derived = await derive(password, salt, iterations)
      return hash.length === derived.length && timingSafeEqual(hash, derived)
    }
    case 'bcrypt': {
      const hash = new TextDecoder('latin1').decode(stored.hash)
      // Whatever a client gave instead of a hash is no password's hash.
      return BCRYPT_HASH.test(hash) && (await bcryptMatches(password, hash))
    }
    default:
      return stored satisfies never
  }
}

async function derive(
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(password)
  const key = await crypto.subtle.importKey('raw', bytes, 'PBKDF2', false, ['deriveBits'])
  const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt: new Uint8Array(salt), iterations }
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, HASH_BITS))
}

/** The password that a client gave as base64 of its hash; undefined when that is no base64, as Go reads it. */
export function givenHash(base64: string): StoredPassword | undefined {
  const digits = base64.replaceAll(/[\r\n]/g, '')
  if (!STANDARD_BASE64.test(digits)) return undefined
  return { scheme: 'bcrypt', hash: Buffer.from(digits, 'base64') }
}

/**
 * A request as etcd measures it: with a password it goes through consensus as that password's bcrypt hash, 60 bytes in
 * base64, instead.
 */
export function withHashInstead<R extends { password: string; hashedPassword: string }>(request: R): R {
  return { ...request, password: '', hashedPassword: 'x'.repeat(80) }
}
