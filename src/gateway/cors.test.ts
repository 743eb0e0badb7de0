import { describe, expect, it } from 'vitest'
import { createApp } from './app.ts'
import { fakeContext, fakeServices } from './testing/fake-services.ts'
import { KEY } from './testing/fetch-app.ts'
import { startServer } from './testing/raw-http.ts'

const ETCDS = {
  'access-control-allow-headers': 'accept, content-type, authorization',
  'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE',
}
const LISTED = 'https://app.example'
const services = fakeServices({ longPoll: async () => ({ revision: 1n, events: [] }) })
const app = createApp()

/** The headers of an answer that are about other origins. */
function about(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => /^(access-control-|vary$)/.test(name)))
}

async function ask(path: string, origins: readonly string[], init: RequestInit = {}) {
  const context = fakeContext({ services, origins })
  return about((await app.fetch(new Request(new URL(path, 'http://test'), init), { context })).headers)
}

const from = (origin: string) => ({ headers: { Origin: origin } })

/** A preflight for a PUT with these headers. */
const preflight = (headers: string, origin = LISTED) => ({
  method: 'OPTIONS',
  headers: {
    Origin: origin,
    'Access-Control-Request-Method': 'PUT',
    'Access-Control-Request-Headers': headers,
  },
})

describe('CORS', () => {
  it.each(['/version', '/v3/none', '/nowhere', '//x', '/v3/kv/range'])(
    'lets every origin read %s',
    async (path) => {
      expect(await ask(path, ['*'])).toEqual({ ...ETCDS, 'access-control-allow-origin': '*' })
      expect(await ask(path, ['*'], from(LISTED))).toEqual({ ...ETCDS, 'access-control-allow-origin': '*' })
    },
  )

  it.each([
    [LISTED, true],
    ['https://app.example:443', false],
    ['HTTPS://app.example', false],
    ['http://app.example', false],
    ['https://app.example.evil', false],
    ['null', false],
  ])('with a list lets %s read: %s', async (origin, allowed) => {
    const expected = allowed ? { ...ETCDS, 'access-control-allow-origin': origin } : {}
    expect(await ask('/version', [LISTED], from(origin))).toEqual({ ...expected, vary: 'Origin' })
  })

  it('is the same for RPCs, which Node answers by a lane of their own', async () => {
    const server = await startServer(fakeContext({ services, origins: [LISTED] }))
    try {
      const post = async (origin: string) => {
        const init = { method: 'POST', body: KEY, ...from(origin) }
        return about((await fetch(`http://127.0.0.1:${server.port}/v3/kv/range`, init)).headers)
      }
      expect(await post(LISTED)).toEqual({
        ...ETCDS,
        'access-control-allow-origin': LISTED,
        vary: 'Origin',
      })
      expect(await post('https://other.example')).toEqual({ vary: 'Origin' })
    } finally {
      await server.close()
    }
  })
})

describe('a preflight', () => {
  it.each(['authorization', 'content-type,accept', 'x-unknown', 'edgetcd', 'if-match-not', ''])(
    "is answered as by etcd when it asks for '%s'",
    async (headers) => {
      const allowed = { ...ETCDS, 'access-control-allow-origin': '*' }
      expect(await ask('/v3/kv/range', ['*'], preflight(headers))).toEqual(allowed)
    },
  )

  it.each([
    ['authorization,if-match', 'if-match'],
    ['If-None-Match, Prefer', 'if-none-match, prefer'],
    ['last-event-id', 'last-event-id'],
    ['grpc-timeout,grpc-metadata-token,x-unknown', 'grpc-timeout, grpc-metadata-token'],
    ['edgetcd-lease,edgetcd-encoding', 'edgetcd-lease, edgetcd-encoding'],
  ])('that asks for %s may send %s too', async (headers, own) => {
    const answer = await ask('/keys/a', ['*'], preflight(headers))
    expect(answer['access-control-allow-headers']).toBe(`${ETCDS['access-control-allow-headers']}, ${own}`)
  })

  it('of an origin that isn’t listed may send nothing', async () => {
    const answer = await ask('/keys/a', [LISTED], preflight('if-match', 'https://other.example'))
    expect(answer).toEqual({ vary: 'Origin' })
  })
})

it('shows pages the headers that etcd’s answers don’t have', async () => {
  const path = '/v3/watch?key=YQ&wait=0'
  expect((await ask(path, ['*']))['access-control-expose-headers']).toBe('link, preference-applied')
  expect(await ask(path, [LISTED], from('https://other.example'))).toEqual({ vary: 'Origin' })
})
