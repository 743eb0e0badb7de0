import { expect, test } from 'vitest'
import { isPermissionRange } from './permission-range.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

test.each([
  ['a', '', true, 'one key'],
  ['a', 'b', true, 'an interval'],
  ['a', 'a\0', true, 'the shortest interval'],
  ['a', '\0', true, 'to the end'],
  ['\0', '\0', true, 'everything'],
  ['a', 'a', false, 'nothing'],
  ['b', 'a', false, 'an end before the key'],
  ['a', '\0\0', false, 'an end before the key'],
  ['', '', false, 'no key'],
  ['', '\0', false, 'no key'],
])('a permission on [%j, %j): %s, %s', (key, rangeEnd, valid) => {
  expect(isPermissionRange(bytes(key), bytes(rangeEnd))).toBe(valid)
})
