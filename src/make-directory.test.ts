import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, test } from 'vitest'
import { makeDirectory } from './make-directory.ts'

const home = mkdtempSync(join(tmpdir(), 'edgetcd-mkdir-'))
afterAll(() => rmSync(home, { recursive: true }))

describe('a directory', () => {
  it('is made with those above it, once', () => {
    const path = join(home, 'a', 'b', 'c')
    makeDirectory(path)
    makeDirectory(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(existsSync(path)).toBe(true)
  })

  it('is not made where there is a file', () => {
    const file = join(home, 'file')
    writeFileSync(file, '')
    expect(() => makeDirectory(file)).toThrow('EEXIST')
    expect(() => makeDirectory(join(file, 'a'))).toThrow('ENOTDIR')
  })
})

test.skipIf(!existsSync('/proc/self'))(
  'where none can be made that is said, and doesn’t take for ever',
  () => {
    expect(() => makeDirectory('/proc/nope/data')).toThrow('ENOENT')
  },
)
