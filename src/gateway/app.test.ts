import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { AlarmType } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { createApp } from './app.ts'
import { RPCS } from './rpcs.ts'
import { fakeContext, fakeServices } from './testing/fake-services.ts'

const app = createApp()
const KEY = '{"key":"YQ=="}'

function fetchApp(target: string, init: RequestInit = {}, context = fakeContext()) {
  return app.fetch(new Request(new URL(target, 'http://test'), init), { context, target })
}

const post = (target: string, body = KEY, headers: Record<string, string> = {}) =>
  fetchApp(target, { method: 'POST', body, headers })

describe('routes', () => {
  it('has every path of the interface, with the older spellings of three lease calls', () => {
    expect([...RPCS.keys()].filter((path) => path.includes('/lease/')).sort()).toEqual([
      '/v3/kv/lease/leases',
      '/v3/kv/lease/revoke',
      '/v3/kv/lease/timetolive',
      '/v3/lease/grant',
      '/v3/lease/keepalive',
      '/v3/lease/leases',
      '/v3/lease/revoke',
      '/v3/lease/timetolive',
    ])
    expect(RPCS.size).toBe(51)
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

describe('unary RPCs', () => {
  const failing = (error: unknown) =>
    fakeContext({
      services: fakeServices({
        kv: {
          range: async () => {
            throw error
          },
        },
      }),
    })

  it.each([
    [GrpcCode.Canceled, 499],
    [GrpcCode.Unknown, 500],
    [GrpcCode.InvalidArgument, 400],
    [GrpcCode.DeadlineExceeded, 504],
    [GrpcCode.NotFound, 404],
    [GrpcCode.PermissionDenied, 403],
    [GrpcCode.ResourceExhausted, 429],
    [GrpcCode.FailedPrecondition, 400],
    [GrpcCode.OutOfRange, 400],
    [GrpcCode.Unimplemented, 501],
    [GrpcCode.Internal, 500],
    [GrpcCode.Unavailable, 503],
    [GrpcCode.Unauthenticated, 401],
  ])('answers code %i with status %i', async (code, status) => {
    const context = failing(new EtcdError(code, 'why'))
    const response = await fetchApp('/v3/kv/range', { method: 'POST', body: KEY }, context)
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({ error: 'why', code, message: 'why' })
    expect(response.headers.get('grpc-metadata-content-type')).toBeNull()
    expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'why' : null)
  })

  it('shows nothing of an error that nobody foresaw', async () => {
    const context = failing(new TypeError('secret'))
    const response = await fetchApp('/v3/kv/range', { method: 'POST', body: KEY }, context)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
  })

  it('answers an RPC without an implementation with Unimplemented', async () => {
    const response = await post('/v3/kv/put')
    expect(response.status).toBe(501)
    expect(await response.json()).toMatchObject({ code: 12 })
  })

  it('measures a message as protobuf at the gRPC door', async () => {
    const key = (bytes: number) => JSON.stringify({ key: Buffer.alloc(bytes, 'k').toString('base64') })
    // Tag and length take four bytes more.
    expect((await post('/v3/kv/range', key(2_097_152 - 4))).status).toBe(200)
    const refused = await post('/v3/kv/range', key(2_097_152 - 3))
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({
      code: 8,
      message: 'grpc: received message larger than max (2097153 vs. 2097152)',
    })
    expect((await post('/v3/kv/range', `{"key":"YQ=="${' '.repeat(3_000_000)}}`)).status).toBe(200)
  })

  it('bounds the body itself', async () => {
    expect((await post('/v3/kv/range', ' '.repeat(16 * 1024 * 1024 + 1))).status).toBe(429)
  })

  it.each([
    ['1n', 504, 'context deadline exceeded'],
    ['-1S', 504, 'context deadline exceeded'],
    ['soon', 400, 'invalid grpc-timeout: soon'],
    ['S', 400, 'invalid grpc-timeout: S'],
    ['1.5S', 400, 'invalid grpc-timeout: 1.5S'],
  ])('honours Grpc-Timeout: %s', async (timeout, status, message) => {
    const response = await post('/v3/kv/range', KEY, { 'Grpc-Timeout': timeout })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ message })
  })

  it.each(['5S', '0S', '+5S', '99999999999999H'])('lets Grpc-Timeout: %s do', async (timeout) => {
    expect((await post('/v3/kv/range', KEY, { 'Grpc-Timeout': timeout })).status).toBe(200)
  })

  it('tells of bad JSON before an expired deadline, and of a bad deadline before bad JSON', async () => {
    expect(await (await post('/v3/kv/range', '{', { 'Grpc-Timeout': '1n' })).json()).toMatchObject({
      message: 'unexpected EOF',
    })
    expect(await (await post('/v3/kv/range', '{', { 'Grpc-Timeout': 'soon' })).json()).toMatchObject({
      message: 'invalid grpc-timeout: soon',
    })
  })

  it('ends a call that waits when its deadline passes, and tells the service', async () => {
    let aborted: unknown
    const services = fakeServices({
      lock: {
        lock: (_request, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              aborted = signal.reason
              reject(signal.reason)
            })
          }),
      },
    })
    const init = { method: 'POST', body: '{}', headers: { 'Grpc-Timeout': '20m' } }
    const response = await fetchApp('/v3/lock/lock', init, fakeContext({ services }))
    expect(response.status).toBe(504)
    expect(aborted).toMatchObject({ code: GrpcCode.DeadlineExceeded })
  })

  it.each([
    [{}, undefined],
    [{ Authorization: 'abc.1' }, 'abc.1'],
    [{ Authorization: 'Bearer abc.1' }, 'abc.1'],
    [{ 'Grpc-Metadata-Token': 'abc.2', Authorization: 'abc.1' }, 'abc.2'],
    [{ 'Grpc-Metadata-Authorization': 'abc.3' }, 'abc.3'],
    [{ Token: 'abc.4' }, undefined],
  ])('takes the token from %j', async (headers, token) => {
    let seen: string | undefined
    const services = fakeServices({
      kv: {
        range: async (_request, call) => {
          seen = call.token
          return {}
        },
      },
    })
    await fetchApp('/v3/kv/range', { method: 'POST', body: KEY, headers }, fakeContext({ services }))
    expect(seen).toBe(token)
  })
})

describe('operations', () => {
  const unhealthy = (health: () => Promise<never>) => fakeContext({ services: fakeServices({ health }) })
  const alarmed = fakeContext({
    services: fakeServices({ health: async () => [{ alarm: AlarmType.NOSPACE }] }),
  })

  it('says which etcd this is, cacheable', async () => {
    const response = await fetchApp('/version')
    expect(await response.text()).toBe('{"etcdserver":"3.6.16","etcdcluster":"3.6.0","storage":"3.6.0"}')
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBeNull()
    expect(response.headers.get('server')).toMatch(/^edgetcd\//)
  })

  it.each(['/version', '/health', '/livez', '/readyz', '/readyz/non_learner'])(
    'lets %s only be got',
    async (path) => {
      for (const method of ['POST', 'HEAD', 'PUT']) {
        const response = await fetchApp(path, { method })
        expect(response.status).toBe(405)
        expect(response.headers.get('allow')).toBe('GET')
        expect(await response.text()).toBe(method === 'HEAD' ? '' : 'Method Not Allowed\n')
      }
    },
  )

  it('is healthy while the store can be read', async () => {
    const response = await fetchApp('/health')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.text()).toBe('{"health":"true","reason":""}')
  })

  it('is not healthy under an alarm, unless it is excluded', async () => {
    const response = await fetchApp('/health', {}, alarmed)
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ health: 'false', reason: 'ALARM NOSPACE' })
    expect((await fetchApp('/health?exclude=NOSPACE', {}, alarmed)).status).toBe(200)
    expect((await fetchApp('/health?exclude=CORRUPT', {}, alarmed)).status).toBe(503)
  })

  it('is neither healthy nor ready while the store is away', async () => {
    const away = unhealthy(async () => {
      throw EtcdError.of('Timeout')
    })
    expect(await (await fetchApp('/health', {}, away)).json()).toEqual({
      health: 'false',
      reason: 'RANGE ERROR:etcdserver: request timed out',
    })
    const ready = await fetchApp('/readyz', {}, away)
    expect(ready.status).toBe(503)
    expect(await ready.text()).toContain('[-]linearizable_read failed: etcdserver: request timed out\n')
    expect((await fetchApp('/readyz/non_learner', {}, away)).status).toBe(200)
  })

  it.each([
    ['/livez', 'ok\n'],
    ['/livez?verbose', '[+]serializable_read ok\nok\n'],
    ['/livez?verbose&exclude=serializable_read', 'ok\n'],
    ['/readyz/linearizable_read', 'ok\n'],
    [
      '/readyz?verbose',
      '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n',
    ],
  ])('answers %s', async (path, body) => {
    expect(await (await fetchApp(path)).text()).toBe(body)
  })

  it('counts what it did, and zips that and nothing else', async () => {
    const context = fakeContext()
    await fetchApp('/v3/kv/range', { method: 'POST', body: KEY }, context)
    await fetchApp('/v3/kv/range', { method: 'POST', body: '{}' }, context)
    const response = await fetchApp('/metrics', { headers: { 'Accept-Encoding': 'gzip, br' } }, context)
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(response.headers.get('content-type')).toBe(
      'text/plain; version=0.0.4; charset=utf-8; escaping=underscores',
    )
    const text = gunzipSync(Buffer.from(await response.arrayBuffer())).toString()
    const labels = 'grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"'
    expect(text).toContain(`grpc_server_started_total{${labels}} 2\n`)
    expect(text).toContain(`grpc_server_handled_total{grpc_code="OK",${labels}} 1\n`)
    expect(text).toContain(`grpc_server_handled_total{grpc_code="InvalidArgument",${labels}} 1\n`)
    const plain = await fetchApp('/v3/kv/range', {
      method: 'POST',
      body: KEY,
      headers: { 'Accept-Encoding': 'gzip' },
    })
    expect(plain.headers.get('content-encoding')).toBeNull()
  })
})
