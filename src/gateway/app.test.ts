import { describe, expect, it } from 'vitest'
import { ROUTES } from './routes.ts'
import { fetchApp, KEY, post } from './testing/fetch-app.ts'

describe('routes', () => {
  it('has every path of the interface, with the older spellings of three lease calls', () => {
    expect([...ROUTES.keys()].filter((path) => path.includes('/lease/')).sort()).toEqual([
      '/v3/kv/lease/leases',
      '/v3/kv/lease/revoke',
      '/v3/kv/lease/timetolive',
      '/v3/lease/grant',
      '/v3/lease/keepalive',
      '/v3/lease/leases',
      '/v3/lease/revoke',
      '/v3/lease/timetolive',
    ])
    expect(ROUTES.size).toBe(51)
  })

  it.each(['/v3/kv/range', '/v3beta/kv/range', '/v3/kv%2Frange', '/v3/kv/range?nope=1'])(
    'serves %s',
    async (path) => {
      const response = await post(path)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('application/json')
      expect(response.headers.get('grpc-metadata-content-type')).toBe('application/grpc')
    },
  )

  it.each(['/v3/none', '/v3/', '/v3/kv/range/', '/v3/KV/Range', '/v3/kv/rangestream'])(
    'knows no %s, in JSON whatever the method',
    async (path) => {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const response = await fetchApp(path, { method })
        expect(response.status).toBe(404)
        expect(await response.text()).toBe('{"error":"Not Found","code":5,"message":"Not Found"}')
      }
    },
  )

  it.each([
    '/',
    '/kv/range',
    '/v3beta',
    '/v3alpha/kv/range',
    '/version/',
    '/etcdserverpb.KV/Range',
    '/v3%2Fkv/range',
  ])('knows no %s, in plain text', async (path) => {
    const response = await post(path)
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await response.text()).toBe('404 page not found\n')
  })

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD'])('refuses %s on the path of an RPC', async (method) => {
    const response = await fetchApp('/v3/kv/range', { method })
    expect(response.status).toBe(501)
    const body = '{"error":"Method Not Allowed","code":12,"message":"Method Not Allowed"}'
    expect(await response.text()).toBe(method === 'HEAD' ? '' : body)
    expect(response.headers.get('content-length')).toBe(String(body.length))
  })

  it('lets only a form override its method', async () => {
    const override = { 'X-HTTP-Method-Override': 'GET' }
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
    expect((await post('/v3/kv/range', KEY, override)).status).toBe(200)
    expect((await post('/v3/kv/range', KEY, form)).status).toBe(200)
    expect((await post('/v3/kv/range', KEY, { ...override, ...form })).status).toBe(501)
    expect((await post('/v3/none', KEY, { ...override, ...form })).status).toBe(404)
  })

  it.each(['/v3/kv/range', '/nowhere', '/version', '//x'])(
    'answers OPTIONS %s with nothing',
    async (path) => {
      const response = await fetchApp(path, { method: 'OPTIONS' })
      expect(response.status).toBe(200)
      expect(response.headers.get('content-length')).toBe('0')
      expect(response.headers.get('content-type')).toBeNull()
    },
  )

  it('sends clients to the clean path', async () => {
    const response = await post('/v3//kv/range?x=1')
    expect(response.status).toBe(307)
    expect(response.headers.get('location')).toBe('/v3/kv/range?x=1')
    expect(await response.text()).toBe('')
    const page = await fetchApp('//version')
    expect(await page.text()).toBe('<a href="/version">Temporary Redirect</a>.\n\n')
  })

  it('never sends clients to another host', async () => {
    const response = await post('//\\evil.example//x')
    expect(response.headers.get('location')).toBe('/%5Cevil.example/x')
  })

  it('refuses a broken escape', async () => {
    expect((await post('/v3/%zz')).status).toBe(400)
  })

  it.each(['/v3/kv/range', '/none', '/version', '/metrics', '//x', '/v3/%zz', '/v3/none'])(
    'puts the CORS headers on %s',
    async (path) => {
      const { headers } = await fetchApp(path)
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(headers.get('access-control-allow-methods')).toBe('POST, GET, OPTIONS, PUT, DELETE')
      expect(headers.get('access-control-allow-headers')).toBe('accept, content-type, authorization')
    },
  )
})
