import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { b64 } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startWorkerd, type Workerd } from '../support/workerd.ts'

const COMPACTED = 'etcdserver: mvcc: required revision has been compacted'

let postgres: Postgres
let schema: string
let worker: Workerd
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

/** Has the platform's clock strike: gives the status of the run. One that compacts waits before it frees the space. */
const trigger = async ({ gateway } = worker) =>
  (await fetch(new URL('/cdn-cgi/handler/scheduled', gateway.url))).status
const count = async (table: string, of = schema) =>
  Number((await postgres.query(`select from ${of}.${table}`)).rowCount)
/** The metrics of the scheduled trigger. */
async function metrics({ gateway } = worker): Promise<Record<string, number>> {
  const page = await (await fetch(new URL('/metrics', gateway.url))).text()
  const lines = page.matchAll(/^edgetcd_trigger_(\S+) (\S+)$/gm)
  return Object.fromEntries([...lines].map(([, name, value]) => [name, Number(value)]))
}
const logged = () =>
  [...worker.output().matchAll(/^\{.*"a step of the scheduled trigger failed".*$/gm)].map(
    ([line]) => JSON.parse(line) as { level: string; step: string; error: string },
  )

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
  expect(await Promise.all([trigger(), trigger()]), 'two runs at once are as good as one').toEqual([200, 200])
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

it('a step that fails is in the log and in the metrics of every isolate, and keeps no other step from running', async () => {
  await postgres.query(`revoke update on ${schema}.sweep from ${schema}_worker`)
  await postgres.query(`revoke update (revision, sub) on ${schema}.sweep from ${schema}_worker`)
  await postgres.query(`update ${schema}.lease set expires_at = clock_timestamp() where id = 8`)
  const runsBefore = await count('revision_note')
  expect(await trigger()).toBe(500)
  expect(logged()).toMatchObject([{ level: 'error', step: 'sweep' }])
  expect(await count('lease')).toBe(0)
  expect(await count('revision_note')).toBe(runsBefore + 1)
  {
    await using other = await startWorkerd({ databaseUrl: postgres.url, schema })
    const {
      began_timestamp_seconds: began = 0,
      ended_timestamp_seconds: ended = 0,
      ...rest
    } = await metrics(other)
    expect(ended).toBeGreaterThan(began)
    expect(rest).toEqual({
      failures_total: 0,
      succeeded_timestamp_seconds: expect.any(Number),
      'failed{step="record"}': 0,
      'failed{step="leases"}': 0,
      'failed{step="compaction"}': 0,
      'failed{step="quota"}': 0,
      'failed{step="sweep"}': 1,
    })
    expect(rest.succeeded_timestamp_seconds).toBeLessThan(began)
    // Starting it has granted the rights of docs/workers.md again.
    expect(await trigger(other)).toBe(200)
  }
  expect(await metrics()).toMatchObject({ failures_total: 1, 'failed{step="sweep"}': 0 })
})

it('a run without the database says so in the log and in the metrics of its isolate', async () => {
  await postgres.stop('fast')
  const before = logged().length
  expect(await trigger()).toBe(500)
  expect(
    new Set(
      logged()
        .slice(before)
        .map(({ step }) => step),
    ),
  ).toEqual(new Set(['record', 'leases', 'compaction', 'quota', 'sweep']))
  expect((await metrics()).failures_total).toBe(2)
  await postgres.start()
  expect(await trigger()).toBe(200)
})

it('a run that is cut off in the middle shows, and the next one goes on from there', async () => {
  const cut = postgres.freshSchema()
  const variables = { ETCD_AUTO_COMPACTION_MODE: 'revision', ETCD_AUTO_COMPACTION_RETENTION: '1' }
  const swept = async () => (await postgres.query(`select revision from ${cut}.sweep`)).rows[0].revision
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  {
    await using first = await startWorkerd({ databaseUrl: postgres.url, schema: cut, variables })
    const success = Array.from({ length: 100 }, (_, i) => ({ request_put: { key: b64(`k${i}`) } }))
    // Revisions 2 to 26, of which 25 is compacted, a thousand changes at a time: held up in the second of these batches.
    for (let i = 0; i < 25; i++) await first.gateway.ok('/v3/kv/txn', { success })
    await client.query('begin')
    await client.query(`select from ${cut}.log where mod_revision = 15 for update`)
    const run = trigger(first).catch(() => 'cut off')
    await expect
      .poll(async () => (await postgres.query('select from pg_locks where not granted')).rowCount, {
        timeout: 30_000,
      })
      .toBe(1)
    expect(await swept()).toBe('11')
    await first[Symbol.asyncDispose]()
    expect(await run).toBe('cut off')
    await client.query('rollback')
    await client.end()
  }
  await using second = await startWorkerd({ databaseUrl: postgres.url, schema: cut, variables })
  const { began_timestamp_seconds, ended_timestamp_seconds } = await metrics(second)
  expect(began_timestamp_seconds).toBeGreaterThan(0)
  expect(ended_timestamp_seconds).toBeUndefined()
  expect(await trigger(second)).toBe(200)
  expect(await swept()).toBe('25')
  expect(await count('log', cut), 'revisions 25 and 26').toBe(200)
})
