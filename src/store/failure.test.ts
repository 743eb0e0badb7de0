import { expect, it } from 'vitest'
import { etcdFailure } from './failure.ts'
import { SqlError } from './sql.ts'

it('a right that the role lacks is told with what to do about it', () => {
  const error = new SqlError('failed', 'permission denied for table kv', { sqlstate: '42501' })
  expect(etcdFailure(error)).toMatchObject({
    code: 14,
    message:
      'etcdserver: the role that edgetcd has in the database lacks a right; grant it as docs/workers.md says',
    cause: error,
  })
})
