import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../../support/edgetcd.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../../support/etcd.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { itemsOf, RestyEtcd, revisionOf } from './client.ts'

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)

// On etcd too, so that the test asks for nothing that etcd doesn't give.
describe.for([
  { server: 'edgetcd', missing: undefined },
  { server: 'etcd', missing: 'missing' in etcd ? etcd.missing : undefined },
])('lua-resty-etcd, as APISIX uses it, on $server', ({ server, missing }) => {
  if (missing !== undefined) return it.skip(missing)
  let postgres: Postgres | undefined
  let running: GatewayServer
  let port: number
  let client: RestyEtcd
  beforeAll(async () => {
    if (server === 'edgetcd') {
      postgres = await startPostgres(18)
      running = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
    } else if ('path' in etcd) running = await startEtcd(etcd.path)
    port = Number(new URL(running.gateway.url).port)
    client = await RestyEtcd.open(port)
  })
  afterAll(async () => {
    client.close()
    await running[Symbol.asyncDispose]()
    await postgres?.[Symbol.asyncDispose]()
  })

  it('takes /version for a heartbeat', async () => {
    const { status, body } = await client.version()
    expect(status).toBe(200)
    expect(body).toMatchObject({ etcdserver: '3.6.16', etcdcluster: '3.6.0' })
  })

  it('reads and writes on one connection', async () => {
    expect((await client.readdir('/apisix/routes')).body).not.toHaveProperty('kvs')
    expect((await client.set('/apisix/routes/1', { uri: '/a' })).status).toBe(200)
    expect((await client.setnx('/apisix/routes/1', {})).body).not.toHaveProperty('succeeded')
    expect((await client.setnx('/apisix/routes/2', { uri: '/b' })).body).toHaveProperty('succeeded', true)
    await client.setx('/apisix/routes/2', { uri: '/c' })
    await client.setx('/apisix/routes/3', { uri: '/never' })
    const routes = itemsOf(await client.readdir('/apisix/routes'))
    expect(routes.map(({ key, value }) => [key, value])).toEqual([
      ['/apisix/routes/1', { uri: '/a' }],
      ['/apisix/routes/2', { uri: '/c' }],
    ])
    expect((await client.set('/apisix/routes/1', {}, { prev_kv: true })).body).toHaveProperty(
      'prev_kv.version',
      '1',
    )
    expect(itemsOf(await client.get('/apisix/routes/1'))).toHaveLength(1)
    expect((await client.delete('/apisix/routes/1', { prev_kv: true })).body).toMatchObject({ deleted: '1' })
    expect((await client.delete('/apisix/routes/1')).body).not.toHaveProperty('deleted')
    expect((await client.rmdir('/apisix/')).body).toHaveProperty('deleted', '1')
  })

  it('has leases by their old paths, and keeps the connection after a keepalive', async () => {
    const { ID } = (await client.grant(10)).body as { ID: string }
    await client.set('/apisix/nodes/me', 'here', { lease: ID })
    expect((await client.keepalive(ID)).body).toMatchObject({ result: { ID, TTL: '10' } })
    const left = (await client.timetolive(ID)).body as { TTL: string; keys: string[] }
    expect(left).toMatchObject({ ID, grantedTTL: '10', keys: [expect.any(String)] })
    expect((await client.leases()).body).toMatchObject({ leases: [{ ID }] })
    expect((await client.revoke(ID)).status).toBe(200)
    expect((await client.get('/apisix/nodes/me')).body).not.toHaveProperty('kvs')
    expect((await client.keepalive(ID)).body).not.toHaveProperty('result.TTL')
    expect((await client.timetolive(ID)).body).toMatchObject({ TTL: '-1' })
  })

  it('finds its own mistakes answered below 500, which would mark the server as unhealthy', async () => {
    expect(await client.revoke('4000')).toMatchObject({ status: 404, body: { code: 5 } })
    expect(await client.set('', '')).toMatchObject({ status: 400, body: { code: 3 } })
    expect(await client.set('k', '', { lease: '4000' })).toMatchObject({ status: 404, body: { code: 5 } })
  })

  it('reads a watch chunk by chunk, each a message of a line', async () => {
    const start = revisionOf(await client.readdir('/apisix')) + 1
    const watch = await client.watchdir('/apisix', start)
    expect(watch.head.status).toBe(200)
    expect(watch.head.headers.get('transfer-encoding')).toBe('chunked')
    expect(await watch.read()).toMatchObject({ created: true, events: [] })
    const large = { plugins: 'é'.repeat(300_000) }
    const values = [...Array(20).keys(), large]
    for (const value of values) await client.set('/apisix/routes/1', value)
    await client.delete('/apisix/routes/1')
    const events = []
    while (events.length < values.length + 1) {
      const message = await watch.read()
      // APISIX goes on after this revision when the watch is cut: nothing that was not sent may lie below it.
      expect(message.revision).toBe(message.events.at(-1)?.modRevision)
      events.push(...message.events)
    }
    expect(events.map(({ value }) => value)).toEqual([...values, undefined])
    expect(events.map(({ modRevision }) => Number(modRevision))).toEqual(
      events.map((_, index) => start + index),
    )
    watch.close()
  })

  it('loses nothing when it cuts a silent watch off and opens another', async () => {
    let next = revisionOf(await client.get('/apisix/none')) + 1
    const seen: unknown[] = []
    for (let round = 0; round < 10; round++) {
      await client.set('/apisix/routes/9', round)
      const watch = await client.watchdir('/apisix', next)
      await watch.read()
      const { revision, events } = await watch.read()
      seen.push(...events.map(({ value }) => value))
      next = Number(revision) + 1
      watch.close()
    }
    expect(seen).toEqual([...Array(10).keys()])
  })

  it('is told of a compaction, and that the watch is over', async () => {
    const revision = revisionOf(await client.set('/apisix/routes/1', 'new'))
    await running.gateway.ok('/v3/kv/compaction', { revision })
    const watch = await client.watchdir('/apisix', revision - 1)
    expect(await watch.read()).toMatchObject({ created: true })
    const canceled = await watch.read()
    expect(canceled).toMatchObject({ canceled: true, compactRevision: String(revision), events: [] })
    watch.close()
  })

  it('shows its token on every request, and is told when that is no good', async () => {
    const { gateway } = running
    await gateway.ok('/v3/auth/user/add', { name: 'root', password: 'top' })
    await gateway.ok('/v3/auth/user/grant', { user: 'root', role: 'root' })
    await gateway.ok('/v3/auth/enable', {})
    expect(await client.get('/apisix')).toMatchObject({ status: 400, body: { code: 3 } })
    expect(await client.authenticate('root', 'wrong')).toMatchObject({ status: 400, body: { code: 3 } })
    client.useToken('not.a.token')
    expect(await client.get('/apisix')).toMatchObject({
      status: 401,
      body: { code: 16, message: 'etcdserver: invalid auth token' },
    })
    const refused = await client.watchdir('/apisix', 1)
    expect(await refused.read()).toMatchObject({
      canceled: true,
      cancelReason: expect.stringContaining('invalid auth token'),
    })
    refused.close()
    expect((await client.authenticate('root', 'top')).status).toBe(200)
    const start = revisionOf(await client.set('/apisix/routes/1', 'with a token'))
    const watch = await client.watchdir('/apisix', start)
    expect(await watch.read()).toMatchObject({ created: true })
    expect((await watch.read()).events).toMatchObject([{ value: 'with a token' }])
    watch.close()
  })
})
