import { describe, expect, it, test } from 'vitest'
import { readConfig } from './config.ts'

const FILES: Readonly<Record<string, string>> = { '/priv': 'PRIVATE', '/pub': 'PUBLIC', '/empty': '' }
const files = {
  read(path: string): Uint8Array {
    const content = FILES[path]
    if (content === undefined) throw new Error(`ENOENT: no such file, open '${path}'`)
    return new TextEncoder().encode(content)
  },
}
const read = (flags: Record<string, string>) => {
  const { authToken, authTokenTtl } = readConfig(flags, {}, files)
  return { authToken, authTokenTtl }
}
const KEY = 'x'.repeat(32)

describe('--auth-token', () => {
  it('is simple, which means a key of the store’s', () => {
    expect(read({})).toEqual({ authToken: { kind: 'stored' }, authTokenTtl: 3600 })
    expect(read({ 'auth-token': 'simple', 'auth-token-ttl': '300' })).toEqual({
      authToken: { kind: 'stored' },
      authTokenTtl: 300,
    })
  })

  it('takes a key of the deployment’s', () => {
    const secret = new TextEncoder().encode(KEY)
    const authToken = { kind: 'secret', algorithm: 'HS256', secret }
    expect(read({ 'auth-token-key': KEY }).authToken).toEqual(authToken)
    expect(readConfig({}, { ETCD_AUTH_TOKEN_KEY: KEY }).authToken).toEqual(authToken)
  })

  it.each([
    ['RS256', 'pub-key=/pub,priv-key=/priv', { privateKeyPem: 'PRIVATE', publicKeyPem: 'PUBLIC' }],
    ['PS512', 'priv-key=/priv', { privateKeyPem: 'PRIVATE' }],
    ['EdDSA', 'priv-key=/priv', { privateKeyPem: 'PRIVATE' }],
  ])('is jwt, signed by %s with the keys of files', (algorithm, options, keys) => {
    const { authToken } = read({ 'auth-token': `jwt,${options},sign-method=${algorithm}` })
    expect(authToken).toEqual({ kind: 'keys', algorithm, ...keys })
  })

  it('is jwt with a secret of a file, and its own ttl', () => {
    const secret = new TextEncoder().encode('PRIVATE')
    expect(
      read({ 'auth-token': 'jwt,priv-key=/priv,sign-method=HS512,ttl=10m', 'auth-token-ttl': '5' }),
    ).toEqual({
      authToken: { kind: 'secret', algorithm: 'HS512', secret },
      authTokenTtl: 600,
    })
  })
})

test.each([
  [{ 'auth-token': 'paseto' }, '--auth-token is "paseto", but must be simple or jwt'],
  [{ 'auth-token': 'jwt' }, '--auth-token needs sign-method=, one of HS256'],
  [{ 'auth-token': 'jwt,sign-method=none' }, 'has sign-method=none, but'],
  [{ 'auth-token': 'jwt,sign-method=HS256' }, 'must have priv-key='],
  [{ 'auth-token': 'jwt,sign-method=HS256,priv-key=/empty' }, 'must have priv-key='],
  [{ 'auth-token': 'jwt,sign-method=RS256' }, 'must have priv-key=: tokens are signed here'],
  [{ 'auth-token': 'jwt,sign-method=RS256,pub-key=/pub' }, 'must have priv-key=: tokens are signed here'],
  [{ 'auth-token': 'jwt,sign-method=RS256,priv-key=/none' }, 'priv-key=/none: ENOENT'],
  [{ 'auth-token': 'jwt,sign=RS256' }, 'has "sign=RS256", but its options are'],
  [{ 'auth-token': 'jwt,sign-method=RS256,priv-key=/priv,ttl=soon' }, 'has ttl=soon'],
  [
    { 'auth-token': 'jwt,sign-method=HS256,priv-key=/priv', 'auth-token-key': KEY },
    'both say how tokens are signed',
  ],
  [{ 'auth-token-key': 'short' }, '--auth-token-key must have at least 32 bytes'],
  [{ 'auth-token-ttl': '0' }, '--auth-token-ttl is "0", but must be a whole number from 1 to 2147483647'],
])('%j is refused', (flags, message) => {
  expect(() => read(flags as Record<string, string>)).toThrow(message)
})

test('a Worker has no files, and is told what to do', () => {
  const variables = { ETCD_AUTH_TOKEN: 'jwt,sign-method=RS256,priv-key=/priv' }
  expect(() => readConfig({}, variables)).toThrow('there are no files here: set ETCD_AUTH_TOKEN_KEY')
})
