/** What clients are told when a call ends before its time, or a stream that has no end of its own ends by itself. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import { KV } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { Election } from '../etcd/generated/v3electionpb/election_pb.ts'
import { createGateway } from '../gateway/node.ts'
import { fakeContext, fakeServices, type SomeServices } from '../gateway/testing/fake-services.ts'
import { aborted, deferred } from '../gateway/testing/served.ts'
import { createGrpcServer } from '../grpc/server.ts'
import { endOf, statusOf, TestClient } from '../grpc/testing/client.ts'
import { listen } from './http-server.ts'

const STOPPED = [14, 'etcdserver: server stopped']
const key = new Uint8Array([1])

const running: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop()
})

async function serve(overrides: SomeServices) {
  const context = fakeContext({ services: fakeServices(overrides) })
  const gateway = createGateway(context)
  const grpc = createGrpcServer(context)
  const servers = await listen(['http://127.0.0.1:0'], gateway, { grpc })
  const [url = ''] = servers.urls
  const client = new TestClient(new URL(url).host)
  running.push(
    () => servers.stop(),
    () => client[Symbol.dispose](),
  )
  const post = async (path: string) => {
    const response = await fetch(url + path, { method: 'POST', body: '{"key":"AQ=="}' })
    return { status: response.status, body: await response.text() }
  }
  return { client, post, servers, gateway, grpc }
}

describe('an observation whose watch has ended, be it before anybody led', () => {
  const election: SomeServices['election'] = { async *observe() {} }

  it('is told over HTTP to look for another server', async () => {
    const { post } = await serve({ election })
    const { status, body } = await post('/v3/election/observe')
    expect(status).toBe(503)
    expect(JSON.parse(body)).toEqual({ error: { code: STOPPED[0], message: STOPPED[1] } })
  })

  it('is told so over gRPC', async () => {
    const { client } = await serve({ election })
    expect(await endOf(client.follow(Election.method.observe, { name: key }))).toEqual(STOPPED)
  })
})

it('a range as a stream goes on when the server stops, for half of it is worth nothing', async () => {
  const begun = deferred<void>()
  const go = deferred<void>()
  const { client, servers } = await serve({
    kv: {
      async *rangeStream() {
        yield { rangeResponse: { kvs: [{ key }] } }
        begun.resolve()
        await go.promise
        yield { rangeResponse: { count: 2n } }
      },
    },
  })
  const counts: bigint[] = []
  const reading = (async () => {
    const stream = client.follow(KV.method.rangeStream, { key })
    for await (const { rangeResponse } of stream) counts.push(rangeResponse?.count ?? -1n)
  })()
  await begun.promise
  const stopped = servers.stop()
  go.resolve()
  await reading
  await stopped
  expect(counts).toEqual([0n, 2n])
})

describe('a write that is withdrawn when the server has waited long enough', () => {
  it.each(['HTTP', 'gRPC'])(
    'is told over %s that the server has stopped, not that its client left',
    async (how) => {
      const reached = deferred<void>()
      const { client, post, gateway, grpc } = await serve({
        kv: {
          async put(_request, call) {
            reached.resolve()
            await aborted(call)
            throw EtcdError.of('Canceled')
          },
        },
      })
      const told =
        how === 'HTTP'
          ? post('/v3/kv/put').then(({ status, body }) => [
              status,
              JSON.parse(body).code,
              JSON.parse(body).message,
            ])
          : client.ask(KV.method.put, { key }).then(() => [], statusOf)
      await reached.promise
      gateway.endCalls()
      grpc.endCalls()
      expect(await told).toEqual(how === 'HTTP' ? [503, ...STOPPED] : STOPPED)
    },
  )
})

it('calls over gRPC that outlast the stop are lost with their connection, which any client takes for an outage', async () => {
  const asked = [deferred<void>(), deferred<void>()]
  let calls = 0
  const put = () => {
    asked[calls++]?.resolve()
    return new Promise<never>(() => {})
  }
  const grpc = createGrpcServer(fakeContext({ services: fakeServices({ kv: { put } }) }))
  const accepted = deferred<Socket>()
  const server = createServer((socket) => {
    grpc.accept(socket)
    accepted.resolve(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new TestClient(`127.0.0.1:${port}`)
  running.push(
    () => void server.close(),
    () => client[Symbol.dispose](),
  )
  const told = asked.map(() => client.ask(KV.method.put, { key }).then(() => [], statusOf))
  await Promise.all(asked.map(({ promise }) => promise))
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  grpc.endStreams()
  grpc.endCalls()
  vi.advanceTimersByTime(60_000)
  vi.useRealTimers()
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve))
  const socket = await accepted.promise
  // Ended by HTTP/2's means, some would be told of an internal error (RST_STREAM with NO_ERROR), and go nowhere else.
  expect(socket.destroyed).toBe(false)
  socket.destroy()
  for (const [code] of await Promise.all(told)) expect(code).toBe(14)
})
