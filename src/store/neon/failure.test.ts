import { NeonDbError } from '@neondatabase/serverless'
import { expect, it } from 'vitest'
import { httpFailure, isTooLarge } from './failure.ts'

const answer = (fields: Partial<NeonDbError>, message = '') => Object.assign(new NeonDbError(message), fields)

it('is told by an SQLSTATE that nothing happened', () => {
  const refused = httpFailure(answer({ code: '23505', severity: 'ERROR' }))
  expect(refused).toMatchObject({ kind: 'failed', sqlstate: '23505' })
})

it("doesn't know after a session that ended, an answer without an SQLSTATE, or none", () => {
  const errors = [
    answer({ code: '57P01', severity: 'FATAL' }),
    // How Neon tells of a statement that it cancelled.
    answer({ code: '08P01' }),
    answer({ code: '', severity: '' }, 'connection closed'),
    answer({}, 'Server error (HTTP status 502): '),
    answer({ sourceError: new TypeError('fetch failed') }),
    new SyntaxError('Unexpected end of JSON input'),
  ]
  for (const error of errors) expect(httpFailure(error)).toMatchObject({ kind: 'unknown', timedOut: false })
})

it('knows a time-out, wherever it struck', () => {
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
  for (const error of [timeout, answer({ sourceError: timeout })]) {
    expect(httpFailure(error)).toMatchObject({ kind: 'unknown', timedOut: true })
  }
})

it('knows rows that are too many for HTTP', () => {
  const isIt = (status: number) =>
    isTooLarge(httpFailure(answer({}, `Server error (HTTP status ${status}): {}`)))
  expect([507, 500].map(isIt)).toEqual([true, false])
})
