import { expect, it } from 'vitest'
import { textParameter } from './encode.ts'

it('writes scalars as PostgreSQL reads them', () => {
  expect(textParameter('int8', 2n ** 62n)).toBe('4611686018427387904')
  expect(textParameter('bool', true)).toBe('true')
  expect(textParameter('text', 'a\\b"c')).toBe('a\\b"c')
  expect(textParameter('bytea', Uint8Array.of(0, 255))).toBe('\\x00ff')
  expect(textParameter('bytea', null)).toBe(null)
})

it('writes arrays with their nulls', () => {
  expect(textParameter('int4[]', [])).toBe('{}')
  expect(textParameter('int8[]', [1n, null, -2n])).toBe('{1,NULL,-2}')
  expect(textParameter('bytea[]', [Uint8Array.of(1), null, new Uint8Array()])).toBe(
    '{"\\\\x01",NULL,"\\\\x"}',
  )
})

it('takes only the bytes of a view', () => {
  expect(textParameter('bytea', Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe('\\x0203')
})
