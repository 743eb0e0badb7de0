import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { GatewayServer } from '../support/etcd.ts'
import { b64 } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startWorkerd } from '../support/workerd.ts'

const COMPACTED = 'etcdserver: mvcc: required revision has been compacted'

let postgres: Postgres
let schema: string
let worker: GatewayServer
beforeAll(async () => {
  postgres = await startPostgres(18)
  schema = postgres.freshSchema()
  const variables = { ETCD_QUOTA_BACKEND_BYTES: '3000000' }
  worker = await startWorkerd({ databaseUrl: postgres.url, schema, variables })
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
})

/** A run that compacts takes some seconds: it waits before it frees the space. */
const trigger = async () => (await fetch(new URL('/cdn-cgi/handler/scheduled', worker.gateway.url))).status
const count = async (table: string) =>
  Number((await postgres.query(`select from ${schema}.${table}`)).rowCount)

it("the Worker's scheduled trigger ends the leases that are due, though nobody asks (invariant 9)", async () => {
  const { gateway } = worker
  await gateway.ok('/v3/lease/grant', { ID: '7', TTL: '600' })
  await gateway.ok('/v3/lease/grant', { ID: '8', TTL: '600' })
  for (const lease of ['7', '8']) await gateway.ok('/v3/kv/put', { key: b64(`l/${lease}`), lease })
  await postgres.query(`update ${schema}.lease set expires_at = clock_timestamp() where id = 7`)
  expect(await count('kv'), 'nothing ends a lease between requests').toBe(2)
  expect(await trigger()).toBe(200)
  // Looked at in the tables: any request would end it itself.
  expect(await count('lease')).toBe(1)
  const { rows } = await postgres.query(`select convert_from(key, 'UTF8') as key from ${schema}.kv`)
  expect(rows).toEqual([{ key: 'l/8' }])
})

it("the Worker's scheduled trigger compacts as its settings say, and frees the space (invariant 8)", async () => {
  const { gateway } = worker
  const readAt = (at: number) => gateway.call('/v3/kv/range', { key: b64('k'), revision: String(at) })
  const first = await gateway.put('k', 'first')
  const revision = await gateway.put('k', 'noted')
  expect(await trigger()).toBe(200)
  expect((await readAt(first)).status, 'not yet').toBe(200)
  // wrangler.toml keeps an hour.
  await postgres.query(`update ${schema}.revision_note set noted_at = noted_at - interval '61 minutes'`)
  await gateway.put('k', 'after')
  expect(await trigger()).toBe(200)
  expect((await readAt(revision - 1)).body.message).toBe(COMPACTED)
  expect((await readAt(revision)).body.kvs).toMatchObject([{ value: b64('noted') }])
  expect(await count('log'), 'l/8, and the last two of k').toBe(3)
})

it("the Worker's scheduled trigger raises NOSPACE when the store has reached its quota", async () => {
  const { gateway } = worker
  const put = () =>
    gateway.call('/v3/kv/put', { key: b64('large'), value: randomBytes(1_000_000).toString('base64') })
  expect(await trigger()).toBe(200)
  for (let i = 0; i < 3; i++) expect((await put()).status, 'nobody has looked yet').toBe(200)
  expect(await trigger()).toBe(200)
  expect(await put()).toMatchObject({ body: { message: 'etcdserver: mvcc: database space exceeded' } })
})
