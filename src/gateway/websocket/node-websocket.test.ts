import { once } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { BodyBudget } from '../../rpc/body-budget.ts'
import type { Services } from '../../service/services.ts'
import { ManualClock, testEnvironment } from '../../service/watch/testing/environment.ts'
import type { Context } from '../context.ts'
import { fakeContext, fakeServices, type SomeServices } from '../testing/fake-services.ts'
import { startServer, type TestServer } from '../testing/raw-http.ts'
import { aborted, CREATE, deferred } from '../testing/served.ts'
import { standstill } from '../testing/standstill.ts'
import { WebSocketClient } from './testing/client.ts'

const header = { clusterId: 1n, memberId: 2n, revision: 1n, raftTerm: 2n }
const HEAD = '"header":{"cluster_id":"1","member_id":"2","revision":"1","raft_term":"2"}'

const NO_REQUEST = 'the request has no create_request, cancel_request or progress_request'

const servers: TestServer[] = []
const clients: WebSocketClient[] = []

async function serve(services: SomeServices = {}, context: Partial<Context> = {}): Promise<TestServer> {
  const server = await startServer(fakeContext({ services: fakeServices(services), ...context }))
  servers.push(server)
  return server
}

async function connect(
  { port }: TestServer,
  path: string,
  wish?: Parameters<typeof WebSocketClient.open>[1],
): Promise<WebSocketClient> {
  const client = await WebSocketClient.open(`ws://127.0.0.1:${port}${path}`, wish)
  clients.push(client)
  return client
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.vanish()
  for (const server of servers) server.gateway.endStreams()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

describe('a connection', () => {
  it('takes requests in text and in bytes, and answers each message in a frame of text', async () => {
    const client = await connect(await serve(), '/v3/lease/keepalive')
    client.send('{"ID":"1"}', new TextEncoder().encode('{"ID":"2"}'), '{"ID":"3"}{"ID":"4"}')
    for (const id of [1, 2, 3, 4]) expect(await client.next()).toBe(`{"result":{${HEAD},"ID":"${id}"}}`)
  })

  it('takes a request in pieces, as etcd: a frame ends with a line break', async () => {
    const client = await connect(await serve(), '/v3/lease/keepalive')
    client.send('{"ID":', '', '"1"', '}')
    expect(await client.json()).toMatchObject({ result: { ID: '1' } })
    client.send('{"ID":"', '2"}')
    const error = { code: 3, message: "invalid character '\\n' in string literal" }
    expect(await client.json()).toEqual({ error })
    expect(await client.closed).toBe(4003)
  })

  it('has as many watches as are asked for', async () => {
    const client = await connect(await serve(), '/v3/watch')
    for (let i = 0; i < 100; i++) client.send(CREATE)
    for (let i = 0; i < 100; i++) expect(await client.json()).toMatchObject({ result: { created: true } })
  })

  it('writes keys and values as its query says', async () => {
    const keys: unknown[] = []
    const services: SomeServices = {
      watch: {
        async *watch(requests) {
          for await (const { requestUnion } of requests) {
            if (requestUnion.case === 'createRequest')
              keys.push(Buffer.from(requestUnion.value.key).toString())
            yield { events: [{ kv: { key: new TextEncoder().encode('ü') } }] }
          }
        },
      },
    }
    const client = await connect(await serve(services), '/v3/watch?encoding=utf8')
    client.send({ create_request: { key: 'ä' } })
    expect(await client.next()).toBe('{"result":{"events":[{"kv":{"key":"ü"}}]}}')
    expect(keys).toEqual(['ä'])
  })

  it('gives an RPC with one request the first, and throws away what follows', async () => {
    const services: SomeServices = {
      election: {
        async *observe(requests, call) {
          for await (const { name } of requests) yield { kv: { key: name } }
          await aborted(call)
        },
      },
    }
    const client = await connect(await serve(services), '/v3/election/observe')
    client.send('{"name":', '"ZQ=="}', 'garbage')
    expect(await client.next()).toBe('{"result":{"kv":{"key":"ZQ=="}}}')
    client.send('x'.repeat(LIMITS.webSocketUnreadBytes * 2))
    client.socket.ping()
    await new Promise((resolve) => client.socket.once('pong', resolve))
    client.socket.close(1000)
    expect(await client.closed).toBe(1000)
  })

  it('takes no room of the bodies by showing signs of life', async () => {
    const client = await connect(await serve(), '/v3/watch')
    client.send(CREATE)
    await client.json()
    const pongs = 1 + LIMITS.bodyBytesFree / 125
    for (let i = 0; i < pongs; i++) client.socket.pong('x'.repeat(125))
    client.socket.ping()
    await once(client.socket, 'pong')
    const all = new BodyBudget()
    expect(() => all.take(LIMITS.bodyBytesFree + LIMITS.bodiesBytesMax)).not.toThrow()
    all.release()
  })

  it('has the token of its subprotocol or of its headers', async () => {
    const tokens: unknown[] = []
    const services: SomeServices = {
      lease: {
        async *leaseKeepAlive(_, { token }) {
          tokens.push(token)
          yield* []
        },
      },
    }
    const server = await serve(services)
    const path = '/v3/lease/keepalive'
    const announced = await connect(server, path, { protocols: ['Bearer', 'abc.1'] })
    expect(announced.socket.protocol).toBe('Bearer')
    expect(await announced.closed).toBe(1000)
    await (await connect(server, path, { headers: { Authorization: 'Bearer def.2' } })).closed
    await (await connect(server, path, { headers: { Cookie: 'token=ghi.3' } })).closed
    expect(tokens).toEqual(['abc.1', 'def.2', undefined])
  })
})

describe('a connection ends', () => {
  it.each([
    ['/v3/watch', 'hello', "invalid character 'h' looking for beginning of value"],
    ['/v3/watch', '{"create_request":1}', 'proto: syntax error (line 1:19): unexpected token 1'],
    ['/v3/watch', '{"key":"Zm9v"}', NO_REQUEST],
    ['/v3/watch', '{}', NO_REQUEST],
    ['/v3/lease/keepalive', '{"ID":]', "invalid character ']' looking for beginning of value"],
    ['/v3/election/observe', '[]', 'proto: syntax error (line 1:1): unexpected token ['],
  ])('%s: with the error of a malformed request %s', async (path, frame, message) => {
    const services: SomeServices = {
      election: {
        async *observe(requests) {
          for await (const _ of requests) yield {}
        },
      },
    }
    const client = await connect(await serve(services), path)
    client.send(frame)
    expect(await client.json()).toEqual({ error: { code: 3, message } })
    expect(await client.closed).toBe(4003)
  })

  it.each([CREATE, { progress_request: {} }])(
    'not with a request that asks for nothing behind %j, which etcd skips, too',
    async (first) => {
      const services: SomeServices = {
        watch: {
          async *watch(requests) {
            for await (const { requestUnion } of requests) {
              if (requestUnion.case !== undefined) yield { header, created: true }
            }
          },
        },
      }
      const client = await connect(await serve(services), '/v3/watch')
      client.send(first, '{"key":"Zm9v"}', '{}', CREATE)
      for (let i = 0; i < 2; i++) expect(await client.json()).toMatchObject({ result: { created: true } })
    },
  )

  it('with the watches that it had, when a later request is malformed', async () => {
    const gone = deferred<unknown>()
    const services: SomeServices = {
      watch: {
        async *watch(requests, call) {
          for await (const _ of requests) yield { header, created: true }
          gone.resolve(await aborted(call))
        },
      },
    }
    const client = await connect(await serve(services), '/v3/watch')
    client.send(CREATE)
    expect(await client.json()).toMatchObject({ result: { created: true } })
    client.send('garbage', CREATE)
    expect(await client.json()).toMatchObject({ error: { code: 3 } })
    expect(await client.closed).toBe(4003)
    expect(await gone.promise).toMatchObject({ code: 3 })
  })

  it('with the error of its service', async () => {
    const services: SomeServices = {
      watch: {
        async *watch() {
          yield { header, created: true }
          throw new EtcdError(GrpcCode.Unavailable, 'gone')
        },
      },
    }
    const client = await connect(await serve(services), '/v3/watch')
    expect(await client.rest()).toEqual([
      `{"result":{${HEAD},"created":true}}`,
      '{"error":{"code":14,"message":"gone"}}',
    ])
    expect(await client.closed).toBe(4014)
  })

  it('at its deadline', async () => {
    const client = await connect(await serve(), '/v3/watch', { headers: { 'Grpc-Timeout': '1S' } })
    expect(await client.json()).toEqual({ error: { code: 4, message: 'context deadline exceeded' } })
    expect(await client.closed).toBe(4004)
  })

  it('with 1009 when a frame is too large, however it comes', async () => {
    const server = await serve()
    const whole = await connect(server, '/v3/watch')
    whole.send('x'.repeat(LIMITS.bodyBytesMax + 1))
    expect(await whole.closed).toBe(1009)
    const pieces = await connect(server, '/v3/watch')
    for (let sent = 0; sent <= LIMITS.bodyBytesMax; sent += 1024 * 1024) {
      pieces.socket.send('x'.repeat(1024 * 1024), { fin: false })
    }
    expect(await pieces.closed).toBe(1009)
  })

  it('with an error when a message is larger than etcd takes', async () => {
    const client = await connect(await serve(), '/v3/watch')
    client.send({
      create_request: {
        key: Buffer.alloc(LIMITS.requestBytesMax + LIMITS.messageOverheadBytes).toString('base64'),
      },
    })
    expect(await client.json()).toMatchObject({
      error: { code: 8, message: expect.stringMatching(/^grpc: received message larger than max/) },
    })
    expect(await client.closed).toBe(4008)
  })

  it('with 1007 when text is no UTF-8', async () => {
    const client = await connect(await serve(), '/v3/watch')
    client.socket.send(Buffer.from([0xff]), { binary: false })
    expect(await client.closed).toBe(1007)
  })

  it('with 1001 when the server stops, also for who comes then', async () => {
    const server = await serve()
    const before = await connect(server, '/v3/watch')
    before.send(CREATE)
    await before.json()
    server.gateway.endStreams()
    expect(await before.rest()).toEqual([])
    expect(await before.closed).toBe(1001)
    expect(await (await connect(server, '/v3/watch')).closed).toBe(1001)
  })

  it('when the server stops and the client reads nothing', async () => {
    const server = await serve({ watch: { watch: endless(() => {}) } })
    const client = await connect(server, '/v3/watch')
    client.socket.pause()
    server.gateway.endStreams()
    await server.close()
  })
})

it('a page of an origin that CORS keeps out is refused', async () => {
  const server = await serve({}, { origins: ['https://a.example'] })
  await expect(connect(server, '/v3/watch', { origin: 'https://b.example' })).rejects.toThrow('403')
  const allowed = await connect(server, '/v3/watch', { origin: 'https://a.example' })
  allowed.send(CREATE)
  expect(await allowed.json()).toMatchObject({ result: { created: true } })
})

describe('a client that is gone', () => {
  it('ends the call, whether it said so or not', async () => {
    let gone = deferred<unknown>()
    const services: SomeServices = {
      watch: {
        async *watch(requests, call) {
          void (async () => {
            for await (const _ of requests);
          })()
          yield { created: true }
          gone.resolve(await aborted(call))
        },
      },
    }
    const context = fakeContext({ services: fakeServices(services) })
    const server = await serve(services, context)
    const polite = await connect(server, '/v3/watch')
    await polite.json()
    polite.socket.close(1000)
    expect(await polite.closed).toBe(1000)
    expect(await gone.promise).toMatchObject({ message: 'context canceled' })
    gone = deferred<unknown>()
    const cut = await connect(server, '/v3/watch')
    await cut.json()
    cut.vanish()
    expect(await gone.promise).toMatchObject({ message: 'context canceled' })
    const labels = 'grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"'
    const { metrics } = context.instruments
    expect(metrics.text()).toContain(`grpc_server_started_total{${labels}} 2`)
    await vi.waitFor(() => {
      expect(metrics.text()).toContain(`grpc_server_handled_total{grpc_code="Canceled",${labels}} 2`)
    })
  })

  it('is noticed by its silence', async () => {
    const clock = new ManualClock()
    const server = await serve({}, { environment: testEnvironment(clock) })
    const silent = await connect(server, '/v3/watch', { autoPong: false })
    const there = await connect(server, '/v3/watch')
    const pinged = (client: WebSocketClient) => new Promise((resolve) => client.socket.once('ping', resolve))
    for (let i = 0; i < 2; i++) {
      const both = Promise.all([pinged(silent), pinged(there)])
      await clock.pass(LIMITS.webSocketPingMs)
      await both
      there.socket.ping()
      await new Promise((resolve) => there.socket.once('pong', resolve))
    }
    await clock.pass(LIMITS.webSocketPingMs)
    expect(await silent.closed).toBe(1006)
    there.send(CREATE)
    expect(await there.json()).toMatchObject({ result: { created: true } })
  })

  it('that reads nothing is sent no more than it takes', async () => {
    let sent = 0
    const finished = deferred<void>()
    const watch = endless(
      () => sent++,
      () => finished.resolve(),
    )
    const client = await connect(await serve({ watch: { watch } }), '/v3/watch')
    client.socket.pause()
    await standstill(() => sent, 50)
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(200)
    client.vanish()
    await finished.promise
  })

  it('that only asks is read no further than it is answered', async () => {
    let read = 0
    const services: SomeServices = {
      watch: {
        async *watch(requests, call) {
          void (async () => {
            for await (const _ of requests) {
              read++
              await aborted(call)
            }
          })()
          await aborted(call)
        },
      },
    }
    const client = await connect(await serve(services), '/v3/watch')
    const frame = CREATE + ' '.repeat(10_000)
    for (let i = 0; i < 2000; i++) client.send(frame)
    const unsent = () => client.socket.bufferedAmount
    await standstill(unsent, 50, () => read > 0)
    expect(unsent()).toBeGreaterThan(0)
    expect(read).toBe(1)
  })
})

/** A watch that sends as fast as it is asked. */
function endless(onSend: () => void, onEnd = () => {}): Services['watch']['watch'] {
  return async function* () {
    try {
      for (;;) {
        onSend()
        yield { cancelReason: 'x'.repeat(100_000) }
      }
    } finally {
      onEnd()
    }
  }
}
