import { once } from 'node:events'
import { request } from 'node:http'
import { createServer, request as requestOverTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makeSelfSigned } from '../../tls/self-signed.ts'
import { createGateway } from '../node.ts'
import { fakeContext } from '../testing/fake-services.ts'
import { CREATE, open, serve } from '../testing/served.ts'
import { WebSocketClient } from './testing/client.ts'

describe('a request that is answered as if it asked for no WebSocket', () => {
  const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' }

  it.each([
    ['GET', '/v3/kv/range', UPGRADE, 501],
    ['GET', '/v3/nothing', UPGRADE, 404],
    ['GET', '/v3//watch', UPGRADE, 307],
    ['GET', '/version', UPGRADE, 200],
    ['POST', '/v3/kv/range', { ...UPGRADE, Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings' }, 200],
    ['POST', '/v3/kv/range', UPGRADE, 200],
  ])('%s %s', async (method, path, headers, status) => {
    const { port } = await serve()
    const body = method === 'POST' ? '{"key":"YQ=="}' : ''
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ port, method, path, headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject)
      sent.end(body)
    })
    expect(answer).toBe(status)
  })

  it('lets its connection go on', async () => {
    const connection = open(await serve())
    for (let i = 0; i < 3; i++) {
      connection.request('POST', '/v3/kv/range', { ...UPGRADE, Upgrade: 'h2c' }, '{"key":"YQ=="}')
      expect((await connection.readAnswer()).status).toBe(200)
    }
  })

  it('may come before the answers to the requests before it', async () => {
    const server = await serve()
    const connection = open(server)
    for (let i = 0; i < 3; i++) {
      connection.request('GET', '/version', {})
      connection.request('GET', '/health', {})
      connection.request('POST', '/v3/kv/range', { ...UPGRADE, Upgrade: 'h2c' }, '{"key":"YQ=="}')
      connection.request('GET', '/v3/kv/range', {})
      const statuses: number[] = []
      for (let j = 0; j < 4; j++) statuses.push((await connection.readAnswer()).status)
      expect(statuses).toEqual([200, 200, 200, 501])
    }
    // And the client may go while it waits for them.
    const gone = open(server)
    gone.request('POST', '/v3/watch', {}, CREATE)
    gone.request('GET', '/version', UPGRADE)
    expect((await gone.readHead()).status).toBe(200)
    gone.socket.resetAndDestroy()
    await gone.closed()
    connection.request('GET', '/version', {})
    expect((await connection.readAnswer()).status).toBe(200)
  })

  it.each([
    [{}, 400],
    [{ 'Sec-WebSocket-Key': 'x' }, 400],
    [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '7' }, 400],
  ])('%j: a handshake that makes no sense is refused', async (headers, status) => {
    const { port } = await serve()
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ port, path: '/v3/watch', headers: { ...UPGRADE, ...headers } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject)
      sent.end()
    })
    expect(answer).toBe(status)
  })
})

it('over TLS, too', async () => {
  const gateway = createGateway(fakeContext())
  const server = createServer(makeSelfSigned(['127.0.0.1'], 1, new Date()), gateway.listener)
  server.on('upgrade', (incoming, socket, head) => gateway.upgrade(server, incoming, socket, head))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const client = await WebSocketClient.open(`wss://127.0.0.1:${port}/v3/watch`, { rejectUnauthorized: false })
  client.send(CREATE)
  expect(await client.json()).toMatchObject({ result: { created: true } })
  client.vanish()
  const headers = { Connection: 'Upgrade', Upgrade: 'h2c' }
  const target = {
    port,
    method: 'POST',
    path: '/v3/kv/range',
    headers,
    rejectUnauthorized: false,
    agent: false,
  }
  const sent = requestOverTls({ host: '127.0.0.1', ...target } as const)
  sent.end('{"key":"YQ=="}')
  const [response] = await once(sent, 'response')
  expect(response.statusCode).toBe(200)
  response.resume()
})
