import { expect, it } from 'vitest'
import { acceptsGzip } from './fetch.ts'

it.each([
  ['gzip', true],
  ['br, gzip;q=0.5', true],
  ['*', true],
  ['gzip;q=0', false],
  ['br', false],
  ['', false],
])('Accept-Encoding: %s takes gzip: %s', (codings, accepted) => {
  const request = new Request('http://edgetcd.test', { headers: { 'Accept-Encoding': codings } })
  expect(acceptsGzip(request)).toBe(accepted)
})

it("what the client said goes before Cloudflare's own header", () => {
  const request = new Request('http://edgetcd.test', { headers: { 'Accept-Encoding': 'br, gzip' } })
  expect(acceptsGzip(Object.assign(request, { cf: { clientAcceptEncoding: '' } }))).toBe(false)
  expect(acceptsGzip(Object.assign(request, { cf: { clientAcceptEncoding: 'gzip' } }))).toBe(true)
  expect(acceptsGzip(Object.assign(request, { cf: {} }))).toBe(true)
})
