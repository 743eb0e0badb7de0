import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openLogOutputs } from './log-outputs.ts'

/** A disk that is always full, where the system has one. */
const FULL = '/dev/full'

test('a line goes to each of the outputs once, by whatever names, and files are appended to', () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => told.mockRestore())
  const dir = mkdtempSync(join(tmpdir(), 'edgetcd-log-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'log')
  openLogOutputs([file])('first')
  openLogOutputs(['default', file, 'stderr'])('second')
  expect(readFileSync(file, 'utf8')).toBe('first\nsecond\n')
  expect(told.mock.calls).toEqual([['second']])
})

test('a file that can’t be opened is told with its reason', () => {
  expect(() => openLogOutputs(['/no/such/directory/log'])).toThrow(
    '--log-outputs /no/such/directory/log: no such file or directory',
  )
})

test.skipIf(!existsSync(FULL))('a full disk fails nobody, and is told on standard error once', () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => told.mockRestore())
  const write = openLogOutputs([FULL])
  write('first')
  write('second')
  expect(told.mock.calls).toEqual([[expect.stringMatching(/^--log-outputs \/dev\/full: .*no space left/)]])
})
