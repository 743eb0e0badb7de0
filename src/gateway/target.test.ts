import { array, assert, constantFrom, property } from 'fast-check'
import { expect, it } from 'vitest'
import { readTarget, type Target, targetOf } from './target.ts'

const rpc = (path: string): Target => ({ kind: 'rpc', path })
const other = (path: string): Target => ({ kind: 'other', path })
const redirect = (location: string): Target => ({ kind: 'redirect', location })

// What etcd 3.6.16 was seen to do with each of these request lines.
it.each<[string, Target]>([
  ['/v3/kv/range', rpc('/v3/kv/range')],
  ['/v3/kv/range?key=zzz', rpc('/v3/kv/range')],
  ['/v3/', rpc('/v3/')],
  ['/v3/kv/range/', rpc('/v3/kv/range/')],
  ['/v3/kv/range:go', rpc('/v3/kv/range:go')],
  ['/v3/v3/kv/range', rpc('/v3/v3/kv/range')],
  ['/v3/kv%2Frange', rpc('/v3/kv/range')],
  ['/v3/kv%2frange', rpc('/v3/kv/range')],
  ['/v3/k%76/range', rpc('/v3/kv/range')],
  ['/%76%33/kv/range', rpc('/v3/kv/range')],
  ['/v3/kv/range%2F', rpc('/v3/kv/range/')],
  ['/v3/kv/%2e%2e/kv/range', rpc('/v3/kv/../kv/range')],
  ['/v3/kv%2F%2Frange', rpc('/v3/kv//range')],
  ['/v3beta/kv/range', rpc('/v3/kv/range')],
  ['/v3beta%2Fkv%2Frange', rpc('/v3/kv/range')],
  ['/v3beta/v3beta/kv/range', rpc('/v3/v3beta/kv/range')],
  ['/v3beta/', rpc('/v3/')],
  ['/v3beta', other('/v3beta')],
  ['/v3alpha/kv/range', other('/v3alpha/kv/range')],
  ['/v3%2Fkv/range', other('/v3%2Fkv/range')],
  ['/', other('/')],
  ['/version', other('/version')],
  ['/%76ersion', other('/version')],
  ['/version/', other('/version/')],
  ['/v3', redirect('/v3/')],
  ['/v3?x=1', redirect('/v3/?x=1')],
  ['//version', redirect('/version')],
  ['//v3/kv/range', redirect('/v3/kv/range')],
  ['/v3//kv/range', redirect('/v3/kv/range')],
  ['/v3beta//kv/range', redirect('/v3/kv/range')],
  ['/v3/kv/../kv/range', redirect('/v3/kv/range')],
  ['/v3/kv/../x?y=1', redirect('/v3/x?y=1')],
  ['/v3/kv/./range', redirect('/v3/kv/range')],
  ['/v3/kv/range/..', redirect('/v3/kv')],
  ['/v3/kv/range/.', redirect('/v3/kv/range')],
  ['/../version', redirect('/version')],
  ['/v3/%zz', { kind: 'malformed' }],
  ['//keys/a', redirect('/keys/a')],
  ['/%', { kind: 'malformed' }],
])('reads %s as etcd does', (target, expected) => {
  expect(readTarget(target)).toEqual(expected)
})

it.each([
  ['/keys/', '', ''],
  ['/keys/a', 'a', ''],
  ['/keys//a/./b/..', '/a/./b/..', ''],
  ['/keys/%zz?x=/%zz', '%zz', '?x=/%zz'],
  ['/keys/?prefix', '', '?prefix'],
])('leaves what follows /keys/ in %s as it is', (target, path, query) => {
  expect(readTarget(target)).toEqual({ kind: 'key', path, query })
})

it.each([
  ['/keys', '/keys/'],
  ['/keys?prefix', '/keys/?prefix'],
  ['//keys', '/keys/'],
])('sends %s to %s', (target, location) => {
  expect(readTarget(target)).toEqual(redirect(location))
})

it.each([
  ['http://a:2379/v3/kv/../x?y=1', '/v3/kv/../x?y=1'],
  ['http://a:2379//version', '//version'],
  ['https://a', '/'],
  ['https://a?x=/y', '/?x=/y'],
])('finds the target within %s', (url, expected) => {
  expect(targetOf(url)).toBe(expected)
})

it('sends nobody to a path that it would send on again', () => {
  const piece = constantFrom('/', '.', '..', 'v3', 'v3beta', 'kv', 'keys', '%2F', '%2e', '%', '?', 'é')
  assert(
    property(array(piece, { maxLength: 12 }), (pieces) => {
      const target = readTarget(`/${pieces.join('')}`)
      if (target.kind === 'redirect') expect(readTarget(target.location).kind).not.toBe('redirect')
    }),
  )
})
