import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../etcd/limits.ts'
import { JsonStream } from './stream.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array): string => new TextDecoder().decode(value)

/** What comes out of a body that arrives in these chunks: the values without the space around them, and the error. */
function split(...chunks: string[]): string[] {
  const stream = new JsonStream()
  const values: string[] = []
  try {
    for (const chunk of chunks) for (const value of stream.push(bytes(chunk))) values.push(text(value).trim())
    for (const value of stream.end()) values.push(text(value).trim())
  } catch (error) {
    values.push(`error: ${(error as Error).message}`)
  }
  return values
}

describe('etcd: the request body of a stream', () => {
  it('holds several values, with or without space between', () => {
    expect(split('{"a":1}{"b":[2]}\n {"c":"}"}\n\n')).toEqual(['{"a":1}', '{"b":[2]}', '{"c":"}"}'])
    expect(split('1 "x" null{}true')).toEqual(['1', '"x"', 'null', '{}', 'true'])
    expect(split('')).toEqual([])
    expect(split(' \n', '\t')).toEqual([])
  })

  it('is read while it grows: a value is given with the chunk that completes it', () => {
    const stream = new JsonStream()
    expect([...stream.push(bytes('{"a":'))]).toEqual([])
    expect([...stream.push(bytes('1}{"b"'))].map(text)).toEqual(['{"a":1}'])
    expect([...stream.push(bytes(':2}'))].map(text)).toEqual(['{"b":2}'])
    expect([...stream.end()]).toEqual([])
  })

  it('ends with the first wrong byte; the values before it count', () => {
    expect(split('{"a":1}{]{"b":1}')).toEqual([
      '{"a":1}',
      "error: invalid character ']' looking for beginning of object key string",
    ])
    expect(split('{"a":1}', '{"b"')).toEqual(['{"a":1}', 'error: unexpected EOF'])
    expect(split('tru')).toEqual(['error: unexpected EOF'])
    expect(split('{"a":"\u0001"}')).toEqual(["error: invalid character '\\x01' in string literal"])
  })
})

it('however a body is cut into chunks, its values are the same', () => {
  const value = fc.json().map((json) => (/^[{["]/.test(json) ? json : `[${json}]`))
  fc.assert(
    fc.property(fc.array(value), fc.array(fc.nat({ max: 40 })), (values, cuts) => {
      const body = values.join('')
      const chunks: string[] = []
      let at = 0
      for (const cut of cuts) {
        chunks.push(body.slice(at, at + cut))
        at += cut
      }
      chunks.push(body.slice(at))
      expect(split(...chunks)).toEqual(values)
    }),
  )
})

it('a value may not exceed the limit of a body', () => {
  const chunk = new Uint8Array(1024 * 1024).fill(0x20)
  const stream = new JsonStream()
  expect([...stream.push(bytes('{"a":'))]).toEqual([])
  const whole = Math.floor(LIMITS.bodyBytesMax / chunk.length) - 1
  for (let i = 0; i < whole; i++) expect([...stream.push(chunk)]).toEqual([])
  expect(() => [...stream.push(chunk)]).toThrow('etcdserver: request is too large')
})

it('space between values is not kept', () => {
  const stream = new JsonStream()
  const chunk = new Uint8Array(1024 * 1024).fill(0x20)
  for (let i = 0; i <= LIMITS.bodyBytesMax / chunk.length; i++) expect([...stream.push(chunk)]).toEqual([])
  expect([...stream.push(bytes('{}'))].map(text)).toEqual(['{}'])
})
