import { assert, constantFrom, oneof, property, string, uint8Array } from 'fast-check'
import { expect, it } from 'vitest'
import { readReadAddress, readWriteAddress } from './address.ts'
import { keyUrl } from './percent.ts'

/** Bytes, and what a path could be cleaned of. */
const keys = oneof(
  uint8Array({ minLength: 1, maxLength: 20 }),
  string({ unit: constantFrom('/', '.', '..', 'a', '%', '%2F', '?', '\\', ' '), minLength: 1 }).map((text) =>
    new TextEncoder().encode(text),
  ),
)

/** What a URL is after a client cleaned it, and a proxy that merges slashes. */
function cleaned(url: string): { path: string; query: string } {
  const { pathname, search } = new URL(url, 'http://test')
  return { path: pathname.replaceAll(/\/+/g, '/').slice('/keys/'.length), query: search }
}

it('the URL of a key names it, even after others cleaned it', () => {
  assert(
    property(keys, (key) => {
      const { path, query } = cleaned(keyUrl(key))
      expect(readWriteAddress(path, query).key).toEqual(key)
      const list = cleaned(keyUrl(key, ['prefix', 'limit=5']))
      expect(readReadAddress(list.path, list.query)).toMatchObject({ key, list: { limit: 5 } })
    }),
  )
})

it.each([
  ['app/config', '/keys/app/config'],
  ['app/', '/keys/app/'],
  ['/registry/x', '/keys/%2Fregistry%2Fx'],
  ['a//b', '/keys/a%2F%2Fb'],
  ['a/../b', '/keys/a%2F..%2Fb'],
  ['a/..', '/keys/a%2F..'],
  ['./a', '/keys/.%2Fa'],
  ['a/.b/...', '/keys/a/.b/...'],
  ['.', '/keys/?key=.'],
  ['..', '/keys/?key=..'],
  ['', '/keys/'],
  ['ä ?#+%', '/keys/%C3%A4%20%3F%23%2B%25'],
])('the URL of %j is %s', (key, url) => {
  expect(keyUrl(new TextEncoder().encode(key))).toBe(url)
})

it.each([
  ['a/config', 'a/config'],
  ['/a//b/../.', '/a//b/../.'],
  ['%2fa', '/a'],
  ['a+b', 'a+b'],
  ['%C3%A4', 'ä'],
])('the path %s names %j', (path, key) => {
  expect(readWriteAddress(path, '').key).toEqual(new TextEncoder().encode(key))
})

it.each([
  ['%', '', 'invalid escape in "%"'],
  ['a%2', '', 'invalid escape in "a%2"'],
  ['%u0041', '', 'invalid escape in "%u0041"'],
  ['', '?key=%zz', 'invalid escape in "%zz"'],
  ['a', '?key=b', 'the key is given in the path already'],
  [
    'a',
    '?b',
    'unknown parameter "b"; there are key, revision, prefix, limit, after; a question mark in a key is written %3F',
  ],
  [
    'a',
    '?__proto__=b',
    'unknown parameter "__proto__"; there are key, revision, prefix, limit, after; a question mark in a key is written %3F',
  ],
  ['a', '?revision=x', 'invalid value for revision: "x"'],
  ['a', '?revision=9223372036854775808', 'invalid value for revision: "9223372036854775808"'],
  ['a', '?revision=1&revision=2', 'revision is given twice'],
  ['a', '?prefix=b', 'invalid value for prefix: "b"'],
  ['a', '?prefix&limit=0', 'invalid value for limit: "0"'],
  ['a', '?limit=1', 'limit and after are for a list: add prefix'],
  ['a', '?after=b', 'limit and after are for a list: add prefix'],
])('refuses to read %s%s', (path, query, message) => {
  expect(() => readReadAddress(path, query)).toThrow(expect.objectContaining({ code: 3, message }))
})

it.each(['?prefix', '?revision=2', '?after=b', '?x'])('refuses to write with %s', (query) => {
  expect(() => readWriteAddress('a', query)).toThrow(expect.objectContaining({ code: 3 }))
})

it('bounds a page', () => {
  expect(readReadAddress('a', '?prefix').list?.limit).toBe(1000)
  expect(readReadAddress('a', '?prefix=true&limit=20000').list?.limit).toBe(10_000)
})
