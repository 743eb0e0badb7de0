import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import { AlarmType } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { fakeContext, fakeServices } from './testing/fake-services.ts'
import { fetchApp, KEY } from './testing/fetch-app.ts'

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
