import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import type { TokenKey } from './token-key.ts'
import { claimedUser, Tokens } from './tokens.ts'

const KEY = new Uint8Array(32).fill(7)
const OTHER_KEY = new Uint8Array(32).fill(8)
const CLUSTER = 2n ** 63n
const USER = { name: 'ü\u0000"root', passwordVersion: 12n }

function setUp(key: TokenKey = { kind: 'stored' }, ttl = 60) {
  let now = 1_700_000_000_500
  const clock = { now: () => now, sleep: () => Promise.resolve() }
  return {
    tokens: new Tokens({ key, ttl, clock }),
    pass: (ms: number) => {
      now += ms
    },
  }
}

const pem = { type: 'pkcs8', format: 'pem' } as const
const publicPem = { type: 'spki', format: 'pem' } as const
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')

describe('a token', () => {
  test.each<[string, TokenKey]>([
    ['the stored key', { kind: 'stored' }],
    ['a secret', { kind: 'secret', algorithm: 'HS512', secret: new Uint8Array(64).fill(1) }],
    [
      'RSA, both keys',
      {
        kind: 'keys',
        algorithm: 'RS256',
        privateKeyPem: rsa.privateKey.export(pem).toString(),
        publicKeyPem: rsa.publicKey.export(publicPem).toString(),
      },
    ],
    [
      'RSA, PKCS #1 and PSS',
      {
        kind: 'keys',
        algorithm: 'PS384',
        privateKeyPem: rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
      },
    ],
    ['EC', { kind: 'keys', algorithm: 'ES256', privateKeyPem: ec.privateKey.export(pem).toString() }],
    ['Ed25519', { kind: 'keys', algorithm: 'EdDSA', privateKeyPem: ed.privateKey.export(pem).toString() }],
  ])('signed with %s is of whom it was given to', async (_, key) => {
    const { tokens } = setUp(key)
    const token = await tokens.sign(USER, CLUSTER, KEY)
    expect(await tokens.verify(token, CLUSTER, KEY)).toMatchObject(USER)
    expect(claimedUser(token)).toBe(USER.name)
  })

  test.each<[string, { publicKey?: string; privateKey: string; algorithm?: 'RS256' | 'ES384' }, string]>([
    ['that is none', { privateKey: 'x' }, 'unsupported'],
    ['of another kind', { privateKey: ec.privateKey.export(pem).toString() }, 'Invalid key type'],
    [
      'of another curve',
      { privateKey: ec.privateKey.export(pem).toString(), algorithm: 'ES384' },
      'curve mismatch',
    ],
    [
      "that isn't the other one's",
      {
        privateKey: rsa.privateKey.export(pem).toString(),
        publicKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export(publicPem).toString(),
      },
      'is not the private one’s',
    ],
  ])(
    'a key %s is told before it is needed',
    async (_, { privateKey, publicKey, algorithm = 'RS256' }, message) => {
      const keys = { privateKeyPem: privateKey, ...(publicKey && { publicKeyPem: publicKey }) }
      const { tokens } = setUp({ kind: 'keys', algorithm, ...keys })
      await expect(tokens.tryKeys()).rejects.toThrow(message)
    },
  )

  test('good keys are', async () => {
    const privateKeyPem = rsa.privateKey.export(pem).toString()
    await setUp({ kind: 'keys', algorithm: 'RS256', privateKeyPem }).tokens.tryKeys()
    await setUp().tokens.tryKeys()
  })

  test('is good for its time, and not longer, whether it was seen before or not', async () => {
    const { tokens, pass } = setUp(undefined, 60)
    const token = await tokens.sign(USER, CLUSTER, KEY)
    pass(59_000)
    expect(await tokens.verify(token, CLUSTER, KEY)).toMatchObject(USER)
    pass(1_000)
    expect(await tokens.verify(token, CLUSTER, KEY)).toBeUndefined()
    const fresh = setUp(undefined, 60)
    fresh.pass(60_000)
    expect(await fresh.tokens.verify(token, CLUSTER, KEY)).toBeUndefined()
  })

  test('is worth nothing to another cluster, or once the key is another, though it was seen before', async () => {
    const { tokens } = setUp()
    const token = await tokens.sign(USER, CLUSTER, KEY)
    expect(await tokens.verify(token, CLUSTER, KEY)).toBeDefined()
    expect(await tokens.verify(token, CLUSTER + 1n, KEY)).toBeUndefined()
    expect(await tokens.verify(token, CLUSTER, OTHER_KEY)).toBeUndefined()
    expect(await tokens.verify(token, CLUSTER, KEY)).toBeDefined()
  })

  test('of somebody else’s making is none', async () => {
    const { tokens } = setUp()
    const token = await tokens.sign(USER, CLUSTER, KEY)
    const [header, payload, signature] = token.split('.')
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    const claims = { pwv: '12', aud: String(CLUSTER), sub: USER.name, exp: 2_000_000_000 }
    const jwt = (change: object, algorithm = 'HS256', key = KEY) =>
      new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: algorithm }).sign(key)
    const forged = [
      '',
      'x',
      '..',
      `${none}.${payload}.`,
      `${header}.${payload}.`,
      `${header}.${payload}.${signature?.slice(0, -4)}AAAA`,
      `${header}.${Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')}.${signature}`,
      await jwt({}, 'HS256', OTHER_KEY),
      await jwt({}, 'HS512', new Uint8Array(64).fill(7)),
      await jwt({ aud: undefined }),
      await jwt({ aud: '1' }),
      await jwt({ sub: undefined }),
      await jwt({ exp: undefined }),
      await jwt({ pwv: 12 }),
      await jwt({ pwv: '-1' }),
      await jwt({ pwv: undefined }),
    ]
    for (const one of forged) expect(await tokens.verify(one, CLUSTER, KEY), one).toBeUndefined()
    expect(await tokens.verify(await jwt({}), CLUSTER, KEY), 'and this is one').toMatchObject(USER)
  })

  test.each([
    '',
    'x',
    'a.b.c',
    `${Buffer.from('{}').toString('base64url')}.${Buffer.from('[]').toString('base64url')}.`,
  ])('%j claims to be of nobody', (token) => {
    expect(claimedUser(token)).toBeUndefined()
  })

  test.each([{ toString: 1 }, ['root'], 1, null, true])('of %j is nobody’s', (sub) => {
    const payload = Buffer.from(JSON.stringify({ sub })).toString('base64url')
    expect(claimedUser(`e30.${payload}.AAAA`)).toBeUndefined()
  })

  test('that the keys are tried with need not be good for longer than it takes', async () => {
    let now = 1_700_000_000_999
    const clock = { now: () => now++, sleep: () => Promise.resolve() }
    await expect(new Tokens({ key: { kind: 'stored' }, ttl: 1, clock }).tryKeys()).resolves.toBeUndefined()
    const slow = { ...clock, now: () => (now += 10_000) }
    await expect(
      new Tokens({ key: { kind: 'stored' }, ttl: 1, clock: slow }).tryKeys(),
    ).resolves.toBeUndefined()
  })
})
