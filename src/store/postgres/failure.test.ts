import { expect, test } from 'vitest'
import { statementFailure } from './failure.ts'

const answer = (code: string, message = 'a message') =>
  statementFailure(Object.assign(new Error(message), { code, severity: 'ERROR' }))

test.each([
  ["the database's own error", answer('23505'), 'failed'],
  ['a session that was ended', answer('57P01'), 'unknown'],
  ['a lost connection', statementFailure(new Error('Connection terminated unexpectedly')), 'unknown'],
  // What Hyperdrive says of itself.
  [
    'a pool without a connection',
    answer('58000', 'Failed to acquire a connection from the pool.'),
    'unreachable',
  ],
  [
    'a database that lets nobody in',
    answer('58000', 'Server connection attempt failed: connection_refused'),
    'unreachable',
  ],
  ['a wrong password, behind a pooler', answer('28P01'), 'unreachable'],
  ['no such database, behind a pooler', answer('3D000'), 'unreachable'],
  ['a pooler that fails', answer('58000', 'Internal error.'), 'unknown'],
])('%s', (_, error, kind) => {
  expect(error.kind).toBe(kind)
})
