import { once } from 'node:events'
import { get } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import { KV, Lease, Watch } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { Health } from '../etcd/generated/grpc/health/v1/health_pb.ts'
import { createGateway } from '../gateway/node.ts'
import { fakeContext, fakeServices, type SomeServices } from '../gateway/testing/fake-services.ts'
import { standstill } from '../gateway/testing/standstill.ts'
import { type HttpServers, listen } from '../server/http-server.ts'
import type { Call } from '../service/call.ts'
import { createGrpcServer } from './server.ts'
import { endOf, statusOf, TestClient } from './testing/client.ts'

const running: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop()
})

async function serve(overrides: SomeServices = {}) {
  const context = fakeContext({ services: fakeServices(overrides), messageBytesMax: 1_000 })
  const servers: HttpServers = await listen(['http://127.0.0.1:0'], createGateway(context), {
    grpc: createGrpcServer(context),
  })
  const { host } = new URL(servers.urls[0] ?? '')
  const client = new TestClient(host)
  running.push(() => servers.stop())
  running.push(() => client[Symbol.dispose]())
  return { client, host, servers, context }
}

const key = new Uint8Array([1])
const failure = (asked: Promise<unknown>) => asked.then(() => 'no failure', statusOf)

describe('a call over gRPC', () => {
  it('is answered by the service, and told the token of its metadata', async () => {
    const calls: (string | undefined)[] = []
    const { client } = await serve({
      kv: {
        async range(_request, { token }: Call) {
          calls.push(token)
          return { header: { revision: 7n } }
        },
      },
    })
    const answer = await client.ask(KV.method.range, { key }, { metadata: { token: 'a.1' } })
    expect(answer.header?.revision).toBe(7n)
    await client.ask(KV.method.range, { key }, { metadata: { authorization: 'Bearer b.2' } })
    await client.ask(KV.method.range, { key })
    expect(calls).toEqual(['a.1', 'b.2', undefined])
  })

  it("fails with etcd's code and text", async () => {
    const { client } = await serve()
    expect(await failure(client.ask(KV.method.range, {}))).toEqual([3, 'etcdserver: key is not provided'])
  })

  it('is refused in Go’s words when its message is too large or is none', async () => {
    const { client } = await serve()
    expect(await failure(client.askBytes(KV.method.range, Buffer.alloc(1_001)))).toEqual([
      8,
      'grpc: received message larger than max (1001 vs. 1000)',
    ])
    expect(await failure(client.askBytes(KV.method.range, Buffer.from([0x0a, 0x7f])))).toEqual([
      13,
      expect.stringMatching(/^grpc: error unmarshalling request: /),
    ])
  })

  it('ends with its deadline, and the service is told that nobody waits', async () => {
    let aborted: Promise<unknown> | undefined
    const { client } = await serve({
      kv: {
        range: async (_request, { signal }) => {
          aborted = once(signal, 'abort')
          await aborted
          throw EtcdError.of('Canceled')
        },
      },
    })
    const asked = client.ask(KV.method.range, { key }, { deadline: Date.now() + 100 })
    expect(await failure(asked)).toEqual([4, expect.any(String)])
    await aborted
  })
})

describe('a stream over gRPC', () => {
  it('carries requests and answers both ways, and ends when its requests do', async () => {
    const { client } = await serve()
    const stream = client.open(Lease.method.leaseKeepAlive)
    stream.write({ ID: 5n })
    stream.write({ ID: 6n })
    stream.end()
    const ids: bigint[] = []
    for await (const { ID } of stream) ids.push(ID)
    expect(ids).toEqual([5n, 6n])
  })

  it('reads no further than its client does', async () => {
    const value = new Uint8Array(10_000)
    let given = 0
    const { host } = await serve({
      kv: {
        async *rangeStream() {
          for (; given < 2_000; given++) yield { rangeResponse: { kvs: [{ key, value }] } }
        },
      },
    })
    // gRPC's own client takes all that comes, whether it is read or not.
    const session = connectHttp2(`http://${host}`)
    running.push(() => session.destroy())
    const stream = session.request({
      ':method': 'POST',
      ':path': '/etcdserverpb.KV/RangeStream',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.end(Buffer.alloc(5))
    await once(stream, 'response')
    await standstill(() => given, 100)
    expect(given).toBeGreaterThan(0)
    expect(given).toBeLessThan(2_000)
    let bytes = 0
    for await (const chunk of stream) bytes += chunk.length
    expect(bytes).toBeGreaterThan(2_000 * value.length)
  })

  it('a watch never ends as if there were nothing more to come: its client would believe that', async () => {
    const { client, servers } = await serve()
    const stream = client.open(Watch.method.watch)
    stream.write({ requestUnion: { case: 'createRequest', value: { key } } })
    await once(stream, 'data')
    const ended = endOf(stream)
    await servers.stop()
    expect(await ended).toEqual([14, 'etcdserver: server stopped'])
  })

  it('that fails at a request tells its client, who may have more to ask', async () => {
    const { client } = await serve({
      lease: {
        async *leaseKeepAlive(requests) {
          for await (const { ID } of requests) {
            if (ID === 6n) throw EtcdError.of('NoLeader')
            yield { ID }
          }
        },
      },
    })
    const stream = client.open(Lease.method.leaseKeepAlive)
    stream.write({ ID: 5n })
    await once(stream, 'data')
    stream.write({ ID: 6n })
    expect(await endOf(stream)).toEqual([14, 'etcdserver: no leader'])
  })

  it('whose client goes away ends its service', async () => {
    let aborted: Promise<unknown> | undefined
    const { client } = await serve({
      watch: {
        async *watch(_requests, { signal }) {
          aborted = once(signal, 'abort')
          yield { created: true }
          await aborted
        },
      },
    })
    const stream = client.open(Watch.method.watch)
    await once(stream, 'data')
    stream.on('error', () => {})
    stream.cancel()
    await aborted
  })
})

describe('the port', () => {
  it('speaks HTTP/1 and gRPC, whichever a connection begins with', async () => {
    const { client, host } = await serve()
    const [response] = await once(get(`http://${host}/version`), 'response')
    expect(response.statusCode).toBe(200)
    response.resume()
    await client.ask(KV.method.range, { key })
  })

  it('waits for the first bytes, however they come', async () => {
    const { host } = await serve()
    const [address, port] = host.split(':')
    const socket = connect(Number(port), address)
    for (const piece of [
      'P',
      'OST /v3/kv/range HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n',
      '\r\n{',
      '}',
    ]) {
      socket.write(piece)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 Bad Request/)
    socket.destroy()
  })

  it('tells of its health as etcd does', async () => {
    const { client } = await serve()
    expect((await client.ask(Health.method.check, {})).status).toBe(1)
    expect(await failure(client.ask(Health.method.check, { service: 'x' }))).toEqual([5, 'unknown service'])
    const stream = client.follow(Health.method.watch, { service: 'x' })
    const [first] = await once(stream, 'data')
    expect(first.status).toBe(3)
    stream.on('error', () => {})
    stream.cancel()
  })
})
