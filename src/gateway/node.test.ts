import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { SomeServices } from './testing/fake-services.ts'
import { RawConnection } from './testing/raw-http.ts'
import { aborted, CREATE, deferred, open, serve } from './testing/served.ts'

const header = { clusterId: 1n, memberId: 2n, revision: 1n, raftTerm: 2n }

describe('calls', () => {
  it('go on the same connection one after another, with etcd’s headers and nothing of Node’s', async () => {
    const connection = open(await serve())
    for (let call = 0; call < 3; call++) {
      connection.request('POST', '/v3/kv/range', {}, '{"key":"YQ=="}')
      const { status, headers, body } = await connection.readAnswer()
      expect(status).toBe(200)
      expect(JSON.parse(body)).toMatchObject({ header: { revision: '1' } })
      expect([...headers.keys()].sort()).toEqual([
        'access-control-allow-headers',
        'access-control-allow-methods',
        'access-control-allow-origin',
        'content-length',
        'content-type',
        'date',
        'grpc-metadata-content-type',
        'server',
      ])
    }
  })

  it('are counted in bytes, not characters', async () => {
    const services = { auth: { userList: async () => ({ users: ['Åsa', '用户', '🙂'] }) } }
    const connection = open(await serve(services))
    connection.request('POST', '/v3/auth/user/list', {}, '')
    const { body } = await connection.readAnswer()
    expect(Buffer.from(body, 'latin1').toString()).toBe('{"users":["Åsa","用户","🙂"]}')
  })

  it('may be pipelined, and are answered in order', async () => {
    const connection = open(await serve())
    connection.request('POST', '/v3/kv/range', {}, '{}')
    connection.request('GET', '/version', {})
    connection.request('POST', '/v3/kv/range', {}, '{"key":"YQ=="}')
    expect((await connection.readAnswer()).status).toBe(400)
    expect((await connection.readAnswer()).body).toContain('3.6.16')
    expect((await connection.readAnswer()).status).toBe(200)
  })

  it('may come in pieces, without a length, or without a body at all', async () => {
    const connection = open(await serve())
    connection.request('POST', '/v3/kv/range', {}, 'open')
    connection.sendChunk('{"key":')
    connection.sendChunk('"YQ=="}')
    connection.endChunks()
    expect((await connection.readAnswer()).status).toBe(200)
    connection.request('POST', '/v3/lease/leases', {})
    expect((await connection.readAnswer()).status).toBe(200)
  })

  it.each([
    ['POST', '/v3/kv/range'],
    ['PUT', '/keys/a'],
  ])('that break off never reach the service: %s %s', async (method, target) => {
    let calls = 0
    const count = async () => {
      calls++
      return {}
    }
    const { port, server: http } = await serve({ kv: { range: count, put: count, txn: count } })
    const broken = new RawConnection(port)
    const [socket] = await Promise.all([
      once(http, 'connection').then(([accepted]) => accepted),
      broken.request(method, target, { 'Content-Length': '100' }),
    ])
    broken.close()
    await once(socket, 'close')
    expect(calls).toBe(0)
  })

  it('with a target that would be another host, or none, are sent to the clean path', async () => {
    const connection = open(await serve())
    for (const [target, location] of [
      ['//other/x', '/other/x'],
      ['//[x', '/[x'],
    ] as const) {
      connection.request('GET', target, {})
      const { status, headers } = await connection.readAnswer()
      expect([status, headers.get('location')]).toEqual([307, location])
    }
  })

  it('abort when their client goes away', async () => {
    const reason = deferred<unknown>()
    const reached = deferred<void>()
    const services: SomeServices = {
      lock: {
        lock: async (_request, call) => {
          reached.resolve()
          reason.resolve(await aborted(call))
          return {}
        },
      },
    }
    const connection = open(await serve(services))
    connection.request('POST', '/v3/lock/lock', {}, '{}')
    await reached.promise
    connection.close()
    expect(await reason.promise).toMatchObject({ message: 'context canceled' })
  })

  it('with too large a body are refused, and their connection goes on', async () => {
    const connection = open(await serve())
    connection.request('POST', '/v3/kv/range', {}, ' '.repeat(16 * 1024 * 1024 + 1))
    expect((await connection.readAnswer()).status).toBe(429)
    connection.request('POST', '/v3/kv/range', {}, '{"key":"YQ=="}')
    expect((await connection.readAnswer()).status).toBe(200)
  })

  it('to unknown paths are answered though nobody reads their body', async () => {
    const connection = open(await serve())
    connection.request('POST', '/v3/none', {}, 'x'.repeat(300_000))
    expect((await connection.readAnswer()).status).toBe(404)
    connection.request('POST', '/none', {}, 'x'.repeat(300_000))
    expect((await connection.readAnswer()).status).toBe(404)
    connection.request('GET', '/version', {})
    expect((await connection.readAnswer()).status).toBe(200)
  })
})

describe('a server that stops', () => {
  it('ends streams cleanly and closes their connections', async () => {
    const running = await serve()
    const connection = open(running)
    connection.request('POST', '/v3/watch', {}, CREATE)
    await connection.readHead()
    await connection.readChunk()
    running.gateway.endStreams()
    expect(await connection.readChunk()).toBe('')
    await connection.closed()
  })

  it('finishes what was accepted, and closes the connection behind it', async () => {
    const go = deferred<void>()
    const reached = deferred<void>()
    const services: SomeServices = {
      kv: {
        async range() {
          reached.resolve()
          await go.promise
          return { header }
        },
      },
    }
    const running = await serve(services)
    const connection = open(running)
    connection.request('POST', '/v3/kv/range', {}, '{"key":"YQ=="}')
    await reached.promise
    running.gateway.endStreams()
    go.resolve()
    const { status, headers } = await connection.readAnswer()
    expect(status).toBe(200)
    expect(headers.get('connection')).toBe('close')
    await connection.closed()
  })

  it('finishes a keep-alive that has come whole', async () => {
    const go = deferred<void>()
    const reached = deferred<void>()
    const running = await serve(slowKeepAlive(reached.resolve, go.promise))
    const connection = open(running)
    connection.request('POST', '/v3/lease/keepalive', {}, '{"ID":1}')
    await reached.promise
    // The service is asked before node:http says that this was all.
    await new Promise((resolve) => setImmediate(resolve))
    running.gateway.endStreams()
    go.resolve()
    await connection.readHead()
    expect(await connection.readChunk()).toContain('"ID":"1"')
    expect(await connection.readChunk()).toBe('')
    await connection.closed()
  })

  it.each([
    { what: 'a keep-alive whose body is open', path: '/v3/lease/keepalive', request: '{"ID":1}' },
    { what: 'a watch', path: '/v3/watch', request: CREATE },
  ])('tells $what that it has stopped, when nothing was answered yet', async ({ path, request }) => {
    const reached = deferred<void>()
    const services: SomeServices = {
      ...slowKeepAlive(reached.resolve, new Promise(() => {})),
      watch: {
        // biome-ignore lint/correctness/useYield: it never comes to that
        async *watch(_requests, call) {
          reached.resolve()
          await aborted(call)
        },
      },
    }
    const running = await serve(services)
    const connection = open(running)
    connection.request('POST', path, {}, 'open')
    connection.sendChunk(request)
    await reached.promise
    running.gateway.endStreams()
    const { status, body } = await connection.readAnswer()
    expect(status).toBe(503)
    expect(JSON.parse(body)).toMatchObject({ error: { code: 14, message: 'etcdserver: server stopped' } })
  })

  it('tells a watch so whose service has ended before its first answer', async () => {
    const connection = open(await serve({ watch: { async *watch() {} } }))
    connection.request('POST', '/v3/watch', {}, CREATE)
    expect((await connection.readAnswer()).status).toBe(503)
  })

  it('tells calls that wait for others that it has stopped', async () => {
    const reached = deferred<void>()
    const services: SomeServices = {
      lock: {
        lock: async (_request, call) => {
          reached.resolve()
          throw await aborted(call)
        },
      },
    }
    const running = await serve(services)
    const connection = open(running)
    connection.request('POST', '/v3/lock/lock', {}, '{}')
    await reached.promise
    running.gateway.endStreams()
    running.gateway.endCalls()
    const { status, body } = await connection.readAnswer()
    expect(status).toBe(503)
    expect(JSON.parse(body)).toMatchObject({ code: 14, message: 'etcdserver: server stopped' })
  })
})

/** A lease service that says when it was asked, and answers when it may. */
function slowKeepAlive(reached: () => void, go: Promise<void>): SomeServices {
  return {
    lease: {
      async *leaseKeepAlive(requests) {
        for await (const { ID } of requests) {
          reached()
          await go
          yield { header, ID, TTL: 5n }
        }
      },
    },
  }
}
