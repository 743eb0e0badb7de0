import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { forwardLog, levelOf } from './postgres-log.ts'

test.each([
  ['LOG:  database system is ready to accept connections', 'debug'],
  ['FATAL:  the database system is starting up', 'error'],
  ['PANIC:  could not write to file', 'error'],
  ['WARNING:  page verification failed', 'warn'],
  ['ERROR:  deadlock detected', 'warn'],
  ['initdb: error: directory exists', undefined],
  ['DETAIL:  Key exists.', undefined],
  ['\tat line 3', undefined],
])('%s', (line, level) => {
  expect(levelOf(line)).toBe(level)
})

test('lines go to the log, a continuation at the level of its message, and the last ones are kept', async () => {
  const stream = new PassThrough()
  const seen: string[] = []
  let quiet = false
  const log = forwardLog(
    stream,
    (level, message) => seen.push(`${level} ${message}`),
    () => quiet,
  )
  const says = log.says('disk gone')
  stream.write('LOG:  starting\nPANIC:  disk gone\nDETAIL:  all of it\n')
  await says
  await new Promise((resolve) => setImmediate(resolve))
  quiet = true
  stream.end('FATAL:  terminating connection\n')
  await log.finished
  expect(seen).toEqual([
    'debug postgres: LOG:  starting',
    'error postgres: PANIC:  disk gone',
    'error postgres: DETAIL:  all of it',
    'debug postgres: FATAL:  terminating connection',
  ])
  expect(log.tail()).toBe(
    'LOG:  starting / PANIC:  disk gone / DETAIL:  all of it / FATAL:  terminating connection',
  )
})
