import { expect, test } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { b64, Gateway, type HeaderJson } from '../support/gateway.ts'
import { freePorts } from '../support/ports.ts'
import { startPostgres } from '../support/postgres.ts'
import { run } from './run.ts'

const NO_STORE = 'etcdserver: the database has no store here; run `edgetcd migrate`'

test('a store that is dropped while it is served fails, isn’t made again, and whichever is made there is another one', async () => {
  await using postgres = await startPostgres(18)
  const [dropped = 0, other = 0, metrics = 0] = await freePorts(3)
  const store = `dropped=http://127.0.0.1:${dropped},other=http://127.0.0.1:${other}`
  const args = ['--store', store, '--listen-metrics-urls', `http://127.0.0.1:${metrics}`]
  await using server = await startEdgetcd({ databaseUrl: postgres.url, port: other, args })
  const gateway = new Gateway(`http://127.0.0.1:${dropped}`)
  const put = () => gateway.ok<{ header: HeaderJson }>('/v3/kv/put', { key: b64('k') })
  const { cluster_id: before } = (await put()).header
  const watching = gateway.streamWith({ 'grpc-metadata-hasleader': 'true' }, '/v3/watch', {
    create_request: { key: b64('k') },
  })
  expect(await watching.next()).toMatchObject({ result: { created: true } })

  expect((await run(postgres, 'stores', 'drop', 'dropped', '--yes', 'dropped')).code).toBe(0)
  for (const path of ['/v3/kv/put', '/v3/kv/range', '/v3/maintenance/status', '/v3/lease/leases']) {
    const { status, body } = await gateway.call(path, path.includes('kv') ? { key: b64('k') } : {})
    expect([status, body.message], path).toEqual([503, NO_STORE])
  }
  expect((await fetch(`${gateway.url}/health`)).status).toBe(503)
  expect(await server.gateway.put('k', 'v'), 'the other one').toBe(2)
  const overall = async (path: string) => (await fetch(`http://127.0.0.1:${metrics}${path}`)).status
  expect(await overall('/health'), 'one of them has a fault').toBe(503)
  for (const probe of ['/livez', '/readyz'])
    expect(await overall(probe), 'a restart would be one of the other, too').toBe(200)
  expect(await watching.next(), 'its client goes on elsewhere').toMatchObject({ error: { code: 14 } })
  const schemas = await postgres.query(`select from pg_namespace where nspname = 'dropped'`)
  expect(schemas.rowCount, 'nobody has made it again').toBe(0)

  await run(postgres, 'migrate', '--schema', 'dropped')
  const { header } = await put()
  expect(header.revision).toBe('2')
  expect(header.cluster_id).not.toBe(before)
  gateway.close()
})
