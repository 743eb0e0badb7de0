/** Tokens that were never given out. The attacker doesn't have the signing key; where one below is made with it, the rest of the token must fail. */
import { createHmac } from 'node:crypto'
import type { Scene } from './scene.ts'

/** What the server puts into a token. */
interface Claims {
  readonly sub?: unknown
  readonly aud?: unknown
  readonly exp?: unknown
  readonly iat?: unknown
  readonly pwv?: unknown
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Makes tokens with the store's own key. */
export interface Mint {
  readonly key: Uint8Array
  /** What alice's good token says. */
  readonly good: Claims
  sign(claims: Claims, options?: { algorithm?: string; key?: Uint8Array; header?: object }): string
}

export async function openMint({ postgres, schema, tokenOf }: Scene): Promise<Mint> {
  const { rows } = await postgres.query(`select signing_key from "${schema}".auth`)
  const key = new Uint8Array((rows[0] as { signing_key: Buffer }).signing_key)
  const [, payload = ''] = tokenOf('alice').split('.')
  return {
    key,
    good: JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims,
    sign: (claims, { algorithm = 'HS256', key: signedWith = key, header = {} } = {}) => {
      const text = `${encode({ alg: algorithm, ...header })}.${encode(claims)}`
      const hash = `sha${algorithm.slice(2)}`
      return `${text}.${createHmac(hash, signedWith).update(text).digest('base64url')}`
    },
  }
}

/** What the server's own token for a user looks like, for tests that need many. */
export function tokenFor(mint: Mint, user: string, passwordVersion: bigint): string {
  return mint.sign({ ...mint.good, sub: user, pwv: String(passwordVersion) })
}

/** Every token that must not let anybody in, by what is wrong with it. */
export function forgedTokens(mint: Mint, alice: string): Record<string, string> {
  const { good, sign } = mint
  const { sub: _sub, ...nobody } = good
  const { aud: _aud, ...anywhere } = good
  const { exp: _exp, ...forever } = good
  const { pwv: _pwv, ...anyPassword } = good
  const [header = '', payload = '', signature = ''] = alice.split('.')
  const now = Math.floor(Date.now() / 1000)
  return {
    empty: '',
    'no token at all': 'etcd',
    'as etcd’s simple tokens look': 'RsmvkNeoSYQGzdYf.42',
    truncated: alice.slice(0, -2),
    'without its signature': `${header}.${payload}.`,
    'with one character of the signature changed': `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
    'for another user, with the signature of the first': `${header}.${encode({ ...good, sub: 'root' })}.${signature}`,
    'living longer, with the signature of the first': `${header}.${encode({ ...good, exp: now + 1e6 })}.${signature}`,
    'unsigned, and saying so': `${encode({ alg: 'none' })}.${encode({ ...good, sub: 'root' })}.`,
    'unsigned, in other letters': `${encode({ alg: 'None' })}.${encode({ ...good, sub: 'root' })}.`,
    'with no header': `${encode(null)}.${payload}.${signature}`,
    'with a header that is no object': `${encode([])}.${payload}.${signature}`,
    'with an algorithm that is no text': `${encode({ alg: { toString: 'HS256' } })}.${payload}.${signature}`,
    'encrypted, as it says': `${encode({ alg: 'dir', enc: 'A256GCM' })}..AAAA.AAAA.AAAA`,
    'with something critical in it': sign(good, { header: { crit: ['exp'], exp: 1 } }),
    'of another key': sign(good, { key: new Uint8Array(32).fill(7) }),
    'of a key of nothing': sign(good, { key: new Uint8Array(0) }),
    'of another algorithm': sign(good, { algorithm: 'HS512' }),
    'of yet another algorithm': sign(good, { algorithm: 'HS384' }),
    'of another cluster': sign({ ...good, aud: '14841639068965178418' }),
    'of no cluster': sign(anywhere),
    'of a time that is over': sign({ ...good, exp: now - 1 }),
    'of a time without an end': sign(forever),
    'of a time that is no number': sign({ ...good, exp: '9999999999' }),
    'of nobody': sign(nobody),
    'of nobody who exists': sign({ ...good, sub: 'mallory' }),
    'of an empty name': sign({ ...good, sub: '' }),
    'of somebody who is no text': sign({ ...good, sub: { toString: 1 } }),
    'of another password': sign({ ...good, pwv: '1' }),
    'of any password': sign(anyPassword),
    'of a password that is no number': sign({ ...good, pwv: '-1' }),
    'of a password beyond all numbers': sign({ ...good, pwv: '9'.repeat(400) }),
    'of twelve thousand characters': 'a.'.repeat(6000),
  }
}
