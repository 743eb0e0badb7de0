import { connect } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Auth, KV, Lease, Watch } from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { WebSocketClient } from '../../src/gateway/websocket/testing/client.ts'
import { statusOf, TestClient } from '../../src/grpc/testing/client.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, Gateway, type HeaderJson, type JsonObject, type RangeAnswer } from '../support/gateway.ts'
import { freePorts } from '../support/ports.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { watch } from '../support/watching.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

/** The connections that servers have to the database, which takes note of their end a moment later. */
async function connections(): Promise<number> {
  const { rowCount } = await postgres.query(`select from pg_stat_activity where application_name = 'edgetcd'`)
  return rowCount ?? 0
}

const bytes = (text: string) => Buffer.from(text)

describe('ten etcds of one process, each on a port of its own', () => {
  let server: Edgetcd
  let metricsPort = 0
  const etcds: Gateway[] = []
  const etcd = (at: number) => etcds[at] as Gateway

  beforeAll(async () => {
    const [metrics = 0, ...ports] = await freePorts(11)
    metricsPort = metrics
    const stores = ports.flatMap((port, at) => ['--store', `etcd-${at}=http://127.0.0.1:${port}`])
    const args = [...stores, '--listen-metrics-urls', `http://127.0.0.1:${metrics}`]
    server = await startEdgetcd({ databaseUrl: postgres.url, port: ports[0] ?? 0, args })
    etcds.push(...ports.map((port) => new Gateway(`http://127.0.0.1:${port}`)))
  })
  afterAll(async () => {
    for (const gateway of etcds) gateway.close()
    await server[Symbol.asyncDispose]()
    await vi.waitFor(async () => expect(await connections(), 'nothing is left').toBe(0), 20_000)
  })

  it('has ten identities', async () => {
    const ids = await Promise.all(
      etcds.map(async (gateway) => {
        const { header } = await gateway.ok<{ header: HeaderJson }>('/v3/kv/range', { key: b64('k') })
        return header.cluster_id
      }),
    )
    expect(new Set(ids).size).toBe(10)
  })

  it('tells the clients of each where that one is', async () => {
    for (const gateway of etcds) {
      const { members } = await gateway.ok<{ members: JsonObject[] }>('/v3/cluster/member/list', {})
      expect(members[0]?.clientURLs).toEqual([gateway.url])
    }
  })

  it('keeps keys and revisions apart', async () => {
    for (const [at, gateway] of etcds.entries()) {
      for (let n = 0; n <= at; n++) await gateway.put('shared', `${at}/${n}`)
    }
    for (const [at, gateway] of etcds.entries()) {
      const { header, kvs } = await gateway.ok<RangeAnswer>('/v3/kv/range', { key: b64('shared') })
      expect(header.revision).toBe(String(at + 2))
      expect(kvs).toMatchObject([{ value: b64(`${at}/${at}`), version: String(at + 1) }])
    }
  })

  it('keeps watches apart', async () => {
    const watching = await Promise.all(etcds.map((gateway) => watch(gateway, { key: b64('watched') })))
    const revisions = await Promise.all(etcds.map((gateway, at) => gateway.put('watched', `of ${at}`)))
    await Promise.all(watching.map((one, at) => one.reached(revisions[at] ?? 0)))
    expect(watching.map(({ events }) => events.map(({ value }) => value))).toEqual(
      etcds.map((_, at) => [`of ${at}`]),
    )
    for (const one of watching) one.close()
  })

  it('keeps leases apart', async () => {
    for (const at of [0, 1]) {
      await etcd(at).ok('/v3/lease/grant', { ID: '7', TTL: '600' })
      await etcd(at).ok('/v3/kv/put', { key: b64('leased'), lease: '7' })
    }
    await etcd(0).ok('/v3/lease/revoke', { ID: '7' })
    expect(await etcd(0).get('leased')).toBeUndefined()
    expect(await etcd(1).get('leased')).toMatchObject({ lease: '7' })
    expect(await etcd(2).ok('/v3/lease/leases', {})).not.toHaveProperty('leases')
  })

  it('ends the leases of each at their time', async () => {
    await etcd(3).ok('/v3/lease/grant', { ID: '8', TTL: '3' })
    const leased = await etcd(3).ok<{ header: HeaderJson }>('/v3/kv/put', { key: b64('short'), lease: '8' })
    const ends = Number(leased.header.revision) + 1
    const following = await watch(etcd(3), { key: b64('short'), start_revision: String(ends) })
    await following.reached(ends)
    expect(following.events).toMatchObject([{ type: 'DELETE' }])
    following.close()
  })

  it('keeps users and tokens apart', async () => {
    for (const at of [4, 5]) {
      await etcd(at).ok('/v3/auth/user/add', { name: 'root', password: 'same' })
      await etcd(at).ok('/v3/auth/user/grant', { user: 'root', role: 'root' })
      await etcd(at).ok('/v3/auth/enable', {})
    }
    const { token } = await etcd(4).ok<{ token: string }>('/v3/auth/authenticate', {
      name: 'root',
      password: 'same',
    })
    const asked = (at: number) =>
      etcd(at).call('/v3/kv/range', { key: b64('k') }, { headers: { authorization: token } })
    expect((await asked(4)).status).toBe(200)
    expect((await asked(5)).body.message).toBe('etcdserver: invalid auth token')
    expect((await etcd(6).call('/v3/kv/range', { key: b64('k') })).status, 'no authentication there').toBe(
      200,
    )
  })

  it('needs no more connections than are at work, however many etcds there are', async () => {
    const watching = await Promise.all([0, 1, 2, 3].map((at) => watch(etcd(at), { key: b64('busy') })))
    for (const at of [0, 1, 2, 3]) for (let n = 0; n < 5; n++) await etcd(at).put('busy', `${n}`)
    // One for all reads, at most four long reads, one batch for each etcd, and three lease calls.
    expect(await connections()).toBeLessThanOrEqual(18)
    for (const one of watching) one.close()
  })

  it('writes to one while somebody holds up the writes to half of the others', async () => {
    const holder = new pg.Client({ connectionString: postgres.url })
    await holder.connect()
    const held = [0, 1, 2, 3, 7]
    await holder.query('begin')
    for (const at of held) await holder.query(`lock table "etcd-${at}".write_lock in exclusive mode`)
    const waiting = held.map((at) => etcd(at).put('held', 'up'))
    for (let blocked = 0; blocked < held.length; ) {
      const { rowCount } = await postgres.query(
        `select from pg_stat_activity where application_name = 'edgetcd' and wait_event_type = 'Lock'`,
      )
      blocked = rowCount ?? 0
    }
    const { status } = await etcd(9).call('/v3/kv/put', { key: b64('free') }, { timeoutMs: 5_000 })
    expect(status).toBe(200)
    await holder.end()
    await Promise.all(waiting)
  })

  it('has the metrics of each on its port, and of all on the one for metrics, labelled', async () => {
    const page = async (url: string) => (await fetch(`${url}/metrics`)).text()
    const own = await page(etcd(9).url)
    expect(own).toContain('\netcd_debugging_mvcc_current_revision 13\n')
    expect(own).toContain('\nprocess_resident_memory_bytes ')
    expect(own).not.toContain('store=')
    const all = await page(`http://127.0.0.1:${metricsPort}`)
    expect(all).toContain('\netcd_debugging_mvcc_current_revision{store="etcd-9"} 13\n')
    expect(all).toMatch(/\ngrpc_server_started_total\{store="etcd-0",grpc_/)
    for (const name of ['process_resident_memory_bytes', 'etcd_mvcc_put_total']) {
      expect(all.split(`# TYPE ${name} `), name).toHaveLength(2)
    }
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/health`)).json()).toMatchObject({
      health: 'true',
    })
    await etcd(8).ok('/v3/maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' })
    expect((await fetch(`http://127.0.0.1:${metricsPort}/health`)).status, 'one of them is full').toBe(503)
    expect((await fetch(`${etcd(9).url}/health`)).status).toBe(200)
    await postgres.query(`alter table "etcd-7".head rename to gone`)
    const broken = (await (await fetch(`http://127.0.0.1:${metricsPort}/health`)).json()) as JsonObject
    expect(broken.reason).toMatch(/^RANGE ERROR:store etcd-7: etcdserver: /)
  })
})

describe('several etcds of one process on one port, by host name', () => {
  let server: Edgetcd
  let target = ''
  beforeAll(async () => {
    const stores = 'host-a=//a.example,host-b=//b.example,host-a=//127.0.0.1'
    server = await startEdgetcd({ databaseUrl: postgres.url, args: ['--store', stores] })
    target = server.url.replace('http://', '')
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await vi.waitFor(async () => expect(await connections(), 'nothing is left').toBe(0), 20_000)
  })

  const at = (host: string) => ({ headers: { host } })
  const put = (host: string, key: string, value: string) =>
    server.gateway.call('/v3/kv/put', { key: b64(key), value: b64(value) }, at(host))
  const grpc = (host: string) => new TestClient(target, undefined, { 'grpc.default_authority': host })

  it('serves over HTTP the one whose name a request has, however it is spelled and with any port', async () => {
    expect((await put('a.example', 'k', 'a')).status).toBe(200)
    expect((await put('b.example', 'k', 'b')).status).toBe(200)
    for (const [host, value] of [
      ['A.Example:2379', 'a'],
      ['127.0.0.1', 'a'],
      ['b.example:80', 'b'],
    ] as const) {
      const { body } = await server.gateway.call('/v3/kv/range', { key: b64('k') }, at(host))
      expect(body.kvs, host).toMatchObject([{ value: b64(value) }])
    }
    const { body } = await server.gateway.call('/v3/cluster/member/list', {}, at('b.example'))
    expect(body.members).toMatchObject([{ clientURLs: [`http://b.example:${server.port}`] }])
  })

  it.each([
    ['a URL as the target, whose name counts', 'http://b.example/v3/kv/range', ['a.example'], '200', 'b'],
    ['the dot of the root', '/v3/kv/range', ['b.example.'], '200', 'b'],
    ['two Host headers', '/v3/kv/range', ['a.example', 'b.example'], '400', undefined],
    ['a URL with a name that no store has', 'http://c.example/v3/kv/range', ['a.example'], '421', undefined],
    ['an empty Host header', '/v3/kv/range', [''], '421', undefined],
  ] as const)('over HTTP, with %s', async (_, path, hosts, status, value) => {
    for (const host of ['a', 'b']) await put(`${host}.example`, 'k', host)
    const body = JSON.stringify({ key: b64('k') })
    const lines = [
      ...hosts.map((host) => `Host: ${host}`),
      `Content-Length: ${body.length}`,
      'Connection: close',
    ]
    const socket = connect(server.port, '127.0.0.1')
    socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
    const answer = (await socket.toArray()).join('')
    expect(answer.split(' ')[1]).toBe(status)
    if (value !== undefined) expect(answer).toContain(`"value":"${b64(value)}"`)
  })

  it.each(['c.example', 'a.example.evil', 'localhost'])('answers 421 to the name "%s"', async (host) => {
    const { status } = await put(host, 'k', 'lost')
    expect(status).toBe(421)
  })

  it('streams the watch of the one that is meant', async () => {
    const stream = server.gateway.streamWith({ host: 'b.example' }, '/v3/watch', {
      create_request: { key: b64('streamed') },
    })
    expect(await stream.next()).toMatchObject({ result: { created: true } })
    await put('a.example', 'streamed', 'a')
    await put('b.example', 'streamed', 'b')
    expect(await stream.next()).toMatchObject({ result: { events: [{ kv: { value: b64('b') } }] } })
    stream.close()
  })

  it('opens WebSockets to the one that is meant', async () => {
    const url = `ws://${target}/v3/watch`
    const client = await WebSocketClient.open(url, at('b.example'))
    client.send({ create_request: { key: b64('socket') } })
    expect(await client.json()).toMatchObject({ result: { created: true } })
    await put('a.example', 'socket', 'a')
    await put('b.example', 'socket', 'b')
    expect(await client.json()).toMatchObject({ result: { events: [{ kv: { value: b64('b') } }] } })
    client.socket.close(1000)
    await client.closed
    await expect(WebSocketClient.open(url, at('c.example'))).rejects.toThrow('421')
  })

  it('serves over gRPC the one whose name is the authority', async () => {
    using a = grpc('a.example')
    using b = grpc(`B.example.:${server.port}`)
    for (const [client, value] of [
      [a, 'of a'],
      [b, 'of b'],
    ] as const) {
      await client.ask(KV.method.put, { key: bytes('grpc'), value: bytes(value) })
    }
    const [of] = (await b.ask(KV.method.range, { key: bytes('grpc') })).kvs
    expect(of?.value).toEqual(bytes('of b'))
    await a.ask(Lease.method.leaseGrant, { ID: 5n, TTL: 600n })
    expect((await b.ask(Lease.method.leaseLeases, {})).leases).toEqual([])
    expect((await b.ask(Auth.method.authStatus, {})).enabled).toBe(false)
  })

  it('watches over gRPC the one that is meant', async () => {
    using b = grpc('b.example')
    const stream = b.open(Watch.method.watch)
    const answers = stream[Symbol.asyncIterator]()
    stream.write({ requestUnion: { case: 'createRequest', value: { key: bytes('followed') } } })
    expect((await answers.next()).value).toMatchObject({ created: true })
    await put('a.example', 'followed', 'a')
    await put('b.example', 'followed', 'b')
    expect((await answers.next()).value).toMatchObject({ events: [{ kv: { value: bytes('b') } }] })
    stream.cancel()
    await expect(answers.next()).rejects.toMatchObject({ code: 1 })
  })

  it('refuses calls and streams over gRPC to a name that it doesn’t know', async () => {
    using client = grpc('c.example')
    const refused = [
      5,
      'edgetcd: no etcd is served here by the host name "c.example"; add NAME=//HOST to --store',
    ]
    const put = client.ask(KV.method.put, { key: bytes('k'), value: bytes('lost') })
    expect(await put.then(() => 'no failure', statusOf)).toEqual(refused)
    const stream = client.open(Watch.method.watch)
    stream.write({ requestUnion: { case: 'createRequest', value: { key: bytes('k') } } })
    const failed = stream[Symbol.asyncIterator]().next()
    expect(await failed.then(() => 'no failure', statusOf)).toEqual(refused)
  })

  it('ends the watches of all when it is told to stop', async () => {
    const streams = ['a.example', 'b.example'].map((host) =>
      server.gateway.streamWith({ host }, '/v3/watch', { create_request: { key: b64('last') } }),
    )
    for (const stream of streams) expect(await stream.next()).toMatchObject({ result: { created: true } })
    using b = grpc('b.example')
    const watching = b.open(Watch.method.watch)
    const answers = watching[Symbol.asyncIterator]()
    watching.write({ requestUnion: { case: 'createRequest', value: { key: bytes('last') } } })
    await answers.next()
    server.child.signal('SIGTERM')
    for (const stream of streams) expect(await stream.next()).toBeUndefined()
    const [code] = await answers.next().then(() => [0], statusOf)
    expect(code, 'its client goes on elsewhere').toBe(14)
    expect(await server.child.exited).toBe(0)
  })
})
