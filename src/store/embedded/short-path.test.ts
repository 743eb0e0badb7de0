import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bySymbolicLink, shortPath } from './short-path.ts'

let home: string
let deep: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'edgetcd-short-'))
  deep = join(home, 'd'.repeat(200))
  mkdirSync(deep)
  writeFileSync(join(deep, 'x'), '')
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('a long directory has a name with room for a socket’s', () => {
  const short = shortPath(deep)
  expect(Buffer.byteLength(short.path)).toBeLessThan(80)
  expect(readdirSync(short.path)).toEqual(['x'])
  short.release()
})

test('a symbolic link does where descriptors have no names, and goes with its directory', () => {
  const short = bySymbolicLink(deep, home)
  expect(realpathSync(short.path)).toBe(realpathSync(deep))
  short.release()
  expect(existsSync(dirname(short.path))).toBe(false)
  expect(existsSync(join(deep, 'x'))).toBe(true)
})
