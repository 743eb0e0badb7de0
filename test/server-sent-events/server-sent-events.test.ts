import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import type { GatewayServer } from '../support/etcd.ts'
import { EventSource, eventsUrl } from '../support/event-source.ts'
import { b64 } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { gaugeOf, workerSessions } from '../support/streams-held.ts'
import { prefixRange } from '../support/watching.ts'
import { startWorkerd } from '../support/workerd.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

const KINDS = [
  { name: 'Node', start: startEdgetcd },
  { name: 'workerd', start: startWorkerd },
]

describe.each(KINDS)('an event stream on $name', ({ name, start }) => {
  let server: GatewayServer
  beforeAll(async () => {
    server = await start({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const open = (prefix: string, more: Readonly<Record<string, string>> = {}, lastEventId = '') =>
    new EventSource(() => eventsUrl(server.gateway.url, prefix, more), lastEventId)

  // First, while no other test's stream is held: workerd notices by the heartbeat, after 15 seconds or 30, that a client
  // went away.
  it('is freed when its client goes', { timeout: 60_000 }, async () => {
    const held = () =>
      name === 'Node' ? gaugeOf(server, 'etcd_debugging_mvcc_watch_stream_total') : workerSessions(postgres)
    await expect.poll(held, { timeout: 10_000 }).toBe(0)
    const source = open('left/')
    await source.until(({ names }) => names.includes('created'))
    expect(await held()).toBe(1)
    await source.close()
    await expect.poll(held, { timeout: 50_000, interval: 200 }).toBe(0)
  })

  it('tells of each change of its keys', async () => {
    const { gateway } = server
    const source = open('live/')
    await source.until(({ names }) => names.includes('created'))
    const first = await gateway.put('live/a', '1')
    await gateway.put('other', 'x')
    await gateway.ok('/v3/kv/deleterange', { key: b64('live/a') })
    await source.until(({ seen }) => seen.length === 2)
    await source.close()
    expect(source.seen).toEqual([`PUT live/a=1@${first}`, `DELETE live/a=@${first + 2}`])
    expect(source.lastEventId).toBe(String(first + 2))
  })

  it('goes on behind the last id, and says how far it has come', async () => {
    const { gateway } = server
    const first = await gateway.put('past/a', '1')
    await gateway.put('past/b', '2')
    await gateway.put('past/c', '3')
    const head = await gateway.put('other', 'x')
    const source = open('past/', { start_revision: '1' }, String(first))
    await source.until(({ names }) => names.includes('progress'))
    await source.close()
    expect(source.seen).toEqual([`PUT past/b=2@${first + 1}`, `PUT past/c=3@${first + 2}`])
    expect(source.lastEventId).toBe(String(head))
    const again = open('past/', {}, source.lastEventId)
    const next = await gateway.put('past/d', '4')
    await again.until(({ seen }) => seen.length > 0)
    await again.close()
    expect(again.seen).toEqual([`PUT past/d=4@${next}`])
  })

  it('ends for good when its position is compacted', async () => {
    const { gateway } = server
    const first = await gateway.put('gone/a', '1')
    const revision = await gateway.put('gone/a', '2')
    await gateway.ok('/v3/kv/compaction', { revision: String(revision) })
    const source = open('gone/', {}, String(first - 2))
    await source.finished
    expect(source.names).toEqual(['created', 'compacted'])
    expect(source.status).toBe(204)
  })

  it('that can’t be had is refused in JSON', async () => {
    const url = eventsUrl(server.gateway.url, 'x', { range_end: b64('a') })
    const response = await fetch(url, { headers: { Accept: 'text/event-stream' } })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 3, message: 'mvcc: watcher range is empty' })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  })
})

it('comes back through a server that is killed, ends streams and stops: nothing is lost or repeated', async () => {
  const schema = postgres.freshSchema()
  const port = await freePort()
  const options = { databaseUrl: postgres.url, schema, port, args: ['--stream-max-duration', '300ms'] }
  await using writer = await startEdgetcd({ databaseUrl: postgres.url, schema })
  let server = await startEdgetcd(options)
  const source = new EventSource(() => eventsUrl(server.url, 'k/'))
  const written: string[] = []
  const write = async (count: number) => {
    for (let n = 0; n < count; n++) {
      written.push(`PUT k/${n}=${n}@${await writer.gateway.put(`k/${n}`, String(n))}`)
    }
  }
  await source.until(({ names }) => names.includes('created'))
  await write(20)
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    server.child.signal(signal)
    const signaledMs = Date.now()
    const exited = server.child.exited.then(() => Date.now() - signaledMs)
    await write(10)
    expect(await exited, 'an open stream holds no server up').toBeLessThan(20_000)
    await write(10)
    server = await startEdgetcd(options)
    await write(10)
  }
  // Often enough that the server ends streams while they are read.
  const before = source.connections
  while (source.connections < before + 3) await write(5)
  await source.until(({ seen }) => seen.length >= written.length)
  await source.close()
  await server[Symbol.asyncDispose]()
  expect(source.seen).toEqual(written)
})

it('takes a token in its query, which the server never shows; and ends when the right to it goes', async () => {
  const schema = postgres.freshSchema()
  const args = ['--log-level', 'debug', '--warning-unary-request-duration', '1ns']
  await using server = await startEdgetcd({ databaseUrl: postgres.url, schema, args })
  const { gateway } = server
  for (const [path, body] of [
    ['user/add', { name: 'root', password: 'secret' }],
    ['role/add', { name: 'root' }],
    ['user/grant', { user: 'root', role: 'root' }],
    ['user/add', { name: 'reader', password: 'secret' }],
    ['role/add', { name: 'readers' }],
    ['role/grant', { name: 'readers', perm: { permType: 'READ', ...prefixRange('k') } }],
    ['user/grant', { user: 'reader', role: 'readers' }],
    ['enable', {}],
  ] as const) {
    await gateway.ok(`/v3/auth/${path}`, body)
  }
  const tokenOf = async (name: string) => {
    const credentials = { name, password: 'secret' }
    return (await gateway.ok<{ token: string }>('/v3/auth/authenticate', credentials)).token
  }
  const openWith = (query: Readonly<Record<string, string>>) =>
    new EventSource(() => eventsUrl(gateway.url, 'k', query), '1')
  for (const [query, status] of [
    [{}, 400],
    [{ access_token: 'no-token' }, 401],
  ] as const) {
    const refused = openWith(query)
    await refused.finished
    expect(refused.status).toBe(status)
  }
  const access_token = await tokenOf('reader')
  const source = openWith({ access_token })
  await source.until(({ names }) => names.includes('created'))
  await fetch(new URL('/v3/auth/user/revoke', gateway.url), {
    method: 'POST',
    headers: { Authorization: await tokenOf('root') },
    body: JSON.stringify({ name: 'reader', role: 'readers' }),
  })
  await source.finished
  expect(source.names.at(-1)).toBe('failed')
  expect(source.status).toBe(403)
  expect(server.child.output()).toContain('"msg"')
  expect(server.child.output()).not.toContain(access_token)
  expect(server.child.output()).not.toContain('no-token')
})
