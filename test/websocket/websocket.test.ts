import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketClient } from '../../src/gateway/websocket/testing/client.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import type { GatewayServer } from '../support/etcd.ts'
import { b64, type JsonObject } from '../support/gateway.ts'
import { projectRoot } from '../support/paths.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { gaugeOf, workerSessions } from '../support/streams-held.ts'
import { startWorkerd } from '../support/workerd.ts'

interface WatchFrame {
  readonly result: {
    readonly watch_id?: string
    readonly events?: readonly { readonly kv: { readonly key: string } }[]
  }
}

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

const urlOf = ({ gateway }: GatewayServer, path = '/v3/watch') => gateway.url.replace('http', 'ws') + path
const create = (fields: JsonObject): JsonObject => ({ create_request: fields })

const KINDS = [
  { name: 'Node', start: startEdgetcd },
  { name: 'workerd', start: startWorkerd },
]

describe.each(KINDS)('WebSocket on $name', ({ name, start }) => {
  let server: GatewayServer
  beforeAll(async () => {
    server = await start({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  // First, while no other test's stream is held.
  it('leaves nothing behind when its client goes, with a word or without', async () => {
    const held = () =>
      name === 'Node' ? gaugeOf(server, 'etcd_debugging_mvcc_watcher_total') : workerSessions(postgres)
    await expect.poll(held).toBe(0)
    const [polite, gone] = await Promise.all([1, 2].map(() => WebSocketClient.open(urlOf(server))))
    for (const client of [polite, gone]) {
      client?.send(create({ key: b64('left') }))
      expect(await client?.json()).toMatchObject({ result: { created: true } })
    }
    expect(await held()).toBe(2)
    polite?.socket.close(1000)
    gone?.vanish()
    await expect.poll(held, { timeout: 30_000 }).toBe(0)
  })

  it('carries many watches, each with its own events', async () => {
    const watches = 100
    const client = await WebSocketClient.open(urlOf(server))
    for (let n = 0; n < watches; n++) client.send(create({ key: b64(`many/${n}`) }))
    for (let n = 0; n < watches; n++) {
      expect((await client.json<WatchFrame>()).result).toMatchObject({ created: true })
    }
    const puts = Array.from({ length: watches }, (_, n) => ({ request_put: { key: b64(`many/${n}`) } }))
    await server.gateway.ok('/v3/kv/txn', { success: puts })
    const seen = new Set<string>()
    for (let n = 0; n < watches; n++) {
      const { watch_id = '0', events = [] } = (await client.json<WatchFrame>()).result
      expect(events.map(({ kv }) => kv.key)).toEqual([b64(`many/${watch_id}`)])
      seen.add(watch_id)
    }
    expect(seen.size).toBe(watches)
    client.socket.close(1000)
    expect(await client.closed).toBe(1000)
  })

  it('carries an election’s leaders', async () => {
    const { gateway } = server
    await gateway.ok('/v3/lease/grant', { ID: '5', TTL: '1000' })
    const observer = await WebSocketClient.open(urlOf(server, '/v3/election/observe'))
    observer.send({ name: b64('e') })
    const elected = gateway.ok('/v3/election/campaign', { name: b64('e'), lease: '5', value: b64('me') })
    expect(await observer.json()).toMatchObject({ result: { kv: { value: b64('me'), lease: '5' } } })
    await elected
    observer.socket.close(1000)
    expect(await observer.closed).toBe(1000)
  })

  it.each([
    ['/v3/watch', '{"create_request":{"key":]', "invalid character ']' looking for beginning of value"],
    ['/v3/lease/keepalive', 'x', "invalid character 'x' looking for beginning of value"],
  ])('%s: says what is wrong with a request, and ends', async (path, frame, message) => {
    const client = await WebSocketClient.open(urlOf(server, path))
    client.send(frame)
    expect(await client.json()).toEqual({ error: { code: 3, message } })
    expect(await client.closed).toBe(4003)
  })

  it('ends with 1009 when a frame is over-long', async () => {
    const client = await WebSocketClient.open(urlOf(server))
    client.send(create({ key: b64('a') }))
    await client.json()
    client.send(' '.repeat(4 * 1024 * 1024 + 1))
    expect(await client.closed).toBe(1009)
  })

  it('refuses a handshake where there is none', async () => {
    for (const [path, status] of [
      ['/v3/kv/range', 501],
      ['/v3/nothing', 404],
    ] as const) {
      await expect(WebSocketClient.open(urlOf(server, path))).rejects.toThrow(String(status))
    }
  })

  it.runIf(name === 'workerd')(
    'ends cleanly before it can hold too much that its client hasn’t taken',
    async () => {
      const revision = await server.gateway.put('large', 'x'.repeat(1024 * 1024))
      const client = await WebSocketClient.open(urlOf(server))
      client.socket.pause()
      for (let n = 0; n < 100; n++) client.send(create({ key: b64('large'), start_revision: revision }))
      client.socket.resume()
      const frames = await client.rest()
      const sent = frames.reduce((length, frame) => length + frame.length, 0)
      expect(sent).toBeGreaterThan(32 * 1024 * 1024)
      expect(sent).toBeLessThan(40 * 1024 * 1024)
      expect(await client.closed).toBe(1001)
    },
  )
})

it('a server that stops ends its connections with 1001, after all that was told', async () => {
  const server: Edgetcd = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
  const client = await WebSocketClient.open(urlOf(server))
  client.send(create({ key: b64('k') }))
  await client.json()
  await server.gateway.put('k', 'v')
  expect((await client.json<WatchFrame>()).result.events).toHaveLength(1)
  server.child.signal('SIGTERM')
  expect(await client.closed).toBe(1001)
  expect(await server.child.exited).toBe(0)
})

it('a stream that is bounded in time ends with 1000', async () => {
  const args = ['--stream-max-duration', '2s']
  await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema(), args })
  const client = await WebSocketClient.open(urlOf(server))
  client.send(create({ key: b64('k') }))
  expect(await client.rest()).toHaveLength(1)
  expect(await client.closed).toBe(1000)
})

it.each([
  ['README.md', ['"created":true', '"value":"bar"']],
  ['docs/websocket.md', ['watch 2: PUT foo = bar', 'watch 1: PUT app/x = y']],
])('the example of %s runs with nothing but Node', async (page, expected) => {
  await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
  await server.gateway.put('foo', 'bar')
  const text = readFileSync(join(projectRoot, page), 'utf8')
  const [, example = ''] = /^```js\n([^`]*new WebSocket\('ws:[\s\S]*?)^```$/m.exec(text) ?? []
  const code = example.replace('127.0.0.1:2379', new URL(server.url).host)
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code])
  let printed = ''
  for await (const chunk of child.stdout) {
    printed += chunk
    if (printed.includes(expected[0] ?? '')) await server.gateway.put('app/x', 'y')
    if (expected.every((part) => printed.includes(part))) break
  }
  child.kill()
  expect(expected.filter((part) => !printed.includes(part))).toEqual([])
})
