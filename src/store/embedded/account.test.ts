import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { chooseAccount, initdbAccount, readIdMap } from './account.ts'
import { EmbeddedError } from './embedded-error.ts'

afterEach(() => vi.restoreAllMocks())

const as = (uid: number) => vi.spyOn(process, 'geteuid').mockReturnValue(uid)

describe('a plain user', () => {
  test('runs PostgreSQL as itself', () => {
    as(1000)
    expect(chooseAccount('/data', undefined)).toBeUndefined()
    expect(chooseAccount('/data', { uid: 1000, gid: 5 })).toBeUndefined()
    expect(initdbAccount(undefined)).toEqual({ account: undefined, prefix: [] })
  })

  test('can’t run it on another’s data', () => {
    as(1000)
    expect(() => chooseAccount('/data', { uid: 1001, gid: 5 })).toThrow(EmbeddedError)
  })
})

describe('root', () => {
  test('runs it as the owner of the data', () => {
    as(0)
    expect(chooseAccount('/data', { uid: 1001, gid: 5 })).toEqual({ uid: 1001, gid: 5 })
  })

  test('runs a new one, or its own, under an id that it draws', () => {
    as(0)
    const drawn = [undefined, { uid: 0, gid: 0 }].map((owner) => chooseAccount('/data', owner)?.uid ?? 0)
    expect(drawn.every((uid) => uid > 0)).toBe(true)
  })

  test('lets initdb run under an account with a name, not its own', () => {
    as(0)
    const { account, prefix } = initdbAccount({ uid: 70_000, gid: 70_000 })
    expect(prefix).toEqual([])
    expect(account?.uid).toBeGreaterThan(0)
    expect(account?.uid).not.toBe(70_000)
  })
})

test('an id map is ranges of the ids that exist', () => {
  const home = mkdtempSync(join(tmpdir(), 'edgetcd-map-'))
  writeFileSync(join(home, 'map'), '         0       1000          1\n         1     100000      65536\n')
  expect(readIdMap(join(home, 'map'))).toEqual([
    [0, 1],
    [1, 65_536],
  ])
  expect(readIdMap(join(home, 'none'))).toEqual([[0, 2 ** 32]])
  rmSync(home, { recursive: true })
})
