import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { createGateway } from '../gateway/node.ts'
import { fakeContext } from '../gateway/testing/fake-services.ts'
import { RawConnection, startServer } from '../gateway/testing/raw-http.ts'
import { createGrpcServer } from '../grpc/server.ts'
import { listen } from './http-server.ts'

it('says which address is taken, and leaves the others free', async () => {
  const taken = await startServer(fakeContext())
  const free = await startServer(fakeContext())
  await free.close()
  const urls = [`http://127.0.0.1:${free.port}`, `http://127.0.0.1:${taken.port}`]
  await expect(listen(urls, createGateway(fakeContext()))).rejects.toThrow(
    `can't listen on http://127.0.0.1:${taken.port}: another program listens there`,
  )
  const servers = await listen([`http://127.0.0.1:${free.port}`], createGateway(fakeContext()))
  await servers.stop()
  await taken.close()
})

it('stops with idle connections and open watches at once', async () => {
  const { port, close } = await startServer(fakeContext())
  await close()
  const servers = await listen([`http://127.0.0.1:${port}`], createGateway(fakeContext()))
  const idle = new RawConnection(port)
  idle.request('GET', '/version', {})
  await idle.readAnswer()
  const watch = new RawConnection(port)
  watch.request('POST', '/v3/watch', {}, '{"create_request":{}}')
  await watch.readHead()
  const ended = Promise.all([idle.closed(), watch.closed()])
  await servers.stop()
  await ended
  const late = new RawConnection(port)
  await late.closed()
})

it.each([
  ['HTTP alone', {}],
  ['gRPC, too', { grpc: createGrpcServer(fakeContext()) }],
])('stops at once with a connection on which nothing was said: %s', async (_, options) => {
  const servers = await listen(['http://127.0.0.1:0'], createGateway(fakeContext()), options)
  const { hostname, port } = new URL(servers.urls[0] ?? '')
  const silent = connect(Number(port), hostname)
  const ended = once(silent, 'close')
  await once(silent, 'connect')
  // Which was accepted after it.
  const other = new RawConnection(Number(port))
  other.request('GET', '/version', {})
  await other.readAnswer()
  const startMs = performance.now()
  await servers.stop()
  expect(performance.now() - startMs).toBeLessThan(3_000)
  await ended
})
