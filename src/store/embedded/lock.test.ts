import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EmbeddedError } from './embedded-error.ts'
import { lockDirectory, probeSocket } from './lock.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'edgetcd-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Leaves the socket of a process that was killed at `path`. */
function makeStaleSocket(path: string): void {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 9))`
  spawnSync(process.execPath, ['-e', script, path])
}

describe('a directory’s lock', () => {
  test('is held by one at a time, and names its holder', async () => {
    const lock = await lockDirectory(directory)
    await expect(lockDirectory(directory)).rejects.toThrow(EmbeddedError)
    await expect(lockDirectory(directory)).rejects.toThrow(`Another edgetcd (process ${process.pid}) serves`)
    await lock.release()
    await (await lockDirectory(directory)).release()
  })

  test('leaves nothing but its own empty directory', async () => {
    const lock = await lockDirectory(directory)
    await lockDirectory(directory).catch(() => {})
    await lock.release()
    expect(readdirSync(directory, { recursive: true })).toEqual(['lock'])
  })

  test('goes to exactly one of many that ask at once, each time, past a killed holder’s remains', async () => {
    const stale = join(directory, 'stale')
    makeStaleSocket(stale)
    mkdirSync(join(directory, 'lock'))
    for (let round = 0; round < 20; round++) {
      linkSync(stale, join(directory, 'lock', `1-${round}`))
      mkdirSync(join(directory, `lock-dead-${round}`))
      linkSync(stale, join(directory, `lock-dead-${round}`, '2-x'))
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory)))
      const locks = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      expect(locks).toHaveLength(1)
      for (const error of errors) expect(error).toBeInstanceOf(EmbeddedError)
      await locks[0]?.release()
    }
    expect(readdirSync(directory).sort()).toEqual(['lock', 'stale'])
  })
})

test('a socket is alive, stale or gone', async () => {
  const stale = join(directory, 'stale')
  makeStaleSocket(stale)
  expect(await probeSocket(stale)).toBe('stale')
  expect(await probeSocket(join(directory, 'nothing'))).toBe('gone')
})
