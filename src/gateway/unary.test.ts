import { describe, expect, it } from 'vitest'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { fakeContext, fakeServices } from './testing/fake-services.ts'
import { fetchApp, KEY, post } from './testing/fetch-app.ts'
import { serve } from './testing/served.ts'

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

  it('bounds the body itself, by twice the message that it may hold', async () => {
    const status = async (bytes: number, messageBytesMax: number) => {
      const context = fakeContext({ messageBytesMax })
      const body = `{"key":"YQ=="${' '.repeat(bytes - 14)}}`
      const [{ status: node }, { status: worker }] = await Promise.all([
        serve({}, { messageBytesMax }).then(({ port }) =>
          fetch(`http://127.0.0.1:${port}/v3/kv/range`, { method: 'POST', body }),
        ),
        fetchApp('/v3/kv/range', { method: 'POST', body }, context),
      ])
      expect(worker).toBe(node)
      return node
    }
    expect(await status(4_194_304, 2_097_152)).toBe(200)
    expect(await status(4_194_305, 2_097_152)).toBe(429)
    expect(await status(4_194_305, 3_000_000)).toBe(200)
    expect(await status(6_000_001, 3_000_000)).toBe(429)
    expect(await status(4_194_304, 1_000), 'white space may be more').toBe(200)
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
    const init = { method: 'POST', body: '{}', headers: { 'Grpc-Timeout': '1S' } }
    const response = await fetchApp('/v3/lock/lock', init, fakeContext({ services }))
    expect(response.status).toBe(504)
    expect(aborted).toMatchObject({ code: GrpcCode.DeadlineExceeded })
  })

  it.each([
    [{}, undefined],
    [{ Authorization: 'abc.1' }, 'abc.1'],
    [{ Authorization: 'Bearer abc.1' }, 'abc.1'],
    [{ Authorization: 'bearer abc.1' }, 'bearer abc.1'],
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
