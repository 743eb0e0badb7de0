import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { GatewayServer } from '../support/etcd.ts'
import { b64 } from '../support/gateway.ts'
import { type NeonProxy, startNeonProxy } from '../support/neon-proxy.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startWorkerd } from '../support/workerd.ts'

let postgres: Postgres
let proxy: NeonProxy
let schema: string
let worker: GatewayServer
beforeAll(async () => {
  postgres = await startPostgres(18)
  proxy = await startNeonProxy(postgres.port)
  schema = postgres.freshSchema()
  const way = { driver: 'neon', coordinator: true } as const
  worker = await startWorkerd({ databaseUrl: postgres.url, schema, neonProxy: proxy, ...way })
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
})

it('writes on one session, begins another when it is lost, and repeats no write', async () => {
  const { gateway } = worker
  await Promise.all(Array.from({ length: 20 }, (_, i) => gateway.put(`before/${i}`, 'v')))
  expect(proxy.sessions).toBe(1)

  const blocker = new pg.Client({ connectionString: postgres.url })
  await blocker.connect()
  await blocker.query(`begin; lock table ${schema}.write_lock in access exclusive mode`)
  const written = gateway.call('/v3/kv/put', { key: b64('cut'), value: b64('v') })
  const waiting = "select from pg_stat_activity where wait_event_type = 'Lock'"
  while ((await postgres.query(waiting)).rowCount === 0);
  proxy.cutSessions()
  expect(await written).toMatchObject({
    status: 503,
    body: { code: 14, message: 'etcdserver: request timed out, possibly due to connection lost' },
  })
  await blocker.end()

  await gateway.put('after', 'v')
  expect(proxy.sessions).toBe(2)
  // PostgreSQL may have finished what it had begun.
  expect(['1', undefined]).toContain((await gateway.get('cut'))?.version)
})
