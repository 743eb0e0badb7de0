import type { Random } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { StoredPassword } from '../../store/auth/password.ts'

const HASH_BITS = 256
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
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(password), 'PBKDF2', false, [
    'deriveBits',
  ])
  const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations }
  const hash = new Uint8Array(await crypto.subtle.deriveBits(parameters, key, HASH_BITS))
  return { scheme: 'pbkdf2-sha256', hash, salt, iterations }
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
