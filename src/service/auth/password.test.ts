import { pbkdf2Sync } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { hashSync as bcryptHash } from 'bcryptjs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AuthUserAddRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { systemEnvironment } from '../../system-environment.ts'
import { checkPasswordLength, givenHash, hashPassword, passwordMatches, withHashInstead } from './password.ts'

const { random } = systemEnvironment(() => {})

describe('a password', () => {
  test.each(['', 'pw', 'p\u0000w', 'ü🔑'])(
    '%j becomes its PBKDF2, with what it takes to make it again',
    async (password) => {
      const stored = await hashPassword(password, random)
      if (stored.scheme !== 'pbkdf2-sha256') throw new Error(stored.scheme)
      expect(stored.salt).toHaveLength(16)
      expect(stored.iterations).toBe(100_000)
      const again = pbkdf2Sync(password, stored.salt, stored.iterations, 32, 'sha256')
      expect(Buffer.from(stored.hash)).toEqual(again)
    },
  )

  test('has a salt of its own', async () => {
    const [one, other] = await Promise.all([hashPassword('pw', random), hashPassword('pw', random)])
    expect(one.hash).not.toEqual(other.hash)
  })

  test('ends at 72 bytes, not characters', () => {
    expect(() => checkPasswordLength('ü'.repeat(36))).not.toThrow()
    expect(() => checkPasswordLength(`${'ü'.repeat(36)}x`)).toThrow(
      'bcrypt: password length exceeds 72 bytes',
    )
  })

  test("is measured as its bcrypt hash, etcd's 80 characters", () => {
    const request = create(AuthUserAddRequestSchema, {
      name: 'u',
      password: 'p'.repeat(50),
      hashedPassword: 'given',
    })
    expect(toBinary(AuthUserAddRequestSchema, withHashInstead(request))).toHaveLength(3 + 2 + 80)
  })
})

describe('a password that is tried', () => {
  const stored = (hash: string) => ({ scheme: 'bcrypt' as const, hash: Buffer.from(hash) })
  const goHash = bcryptHash('secret', 4)

  test('matches what was stored of it, and nothing else does', async () => {
    const own = await hashPassword('p\u0000w', random)
    expect(await passwordMatches('p\u0000w', own)).toBe(true)
    for (const wrong of ['', 'p', 'pw', 'p\u0000W']) expect(await passwordMatches(wrong, own)).toBe(false)
    expect(await passwordMatches('', undefined)).toBe(false)
  })

  test('matches a bcrypt hash that was given, and no other text that was', async () => {
    expect(await passwordMatches('secret', stored(goHash))).toBe(true)
    expect(await passwordMatches('Secret', stored(goHash))).toBe(false)
    for (const text of [
      '',
      'secret',
      '$2a$',
      goHash.slice(0, -1),
      `${goHash}x`,
      goHash.replace('$04$', '$99$'),
    ]) {
      expect(await passwordMatches('secret', stored(text)), text).toBe(false)
    }
  })
})

describe('a hash that is given', () => {
  test('is what its base64 says, wherever that is broken into lines', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(), fc.constantFrom('\n', '\r\n', ''), (bytes, at, lineBreak) => {
        const base64 = Buffer.from(bytes).toString('base64')
        const place = at % (base64.length + 1)
        const stored = givenHash(base64.slice(0, place) + lineBreak + base64.slice(place))
        expect(stored?.scheme).toBe('bcrypt')
        expect(Buffer.from(stored?.hash ?? [])).toEqual(Buffer.from(bytes))
      }),
    )
  })

  test.each(['!!!', 'aGk', 'aG k=', '-_-_', 'aGk==', '='])('%j is none, as in Go', (base64) => {
    expect(givenHash(base64)).toBeUndefined()
  })
})
