import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { b64, type Gateway, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

const NO_SPACE = { status: 429, body: { code: 8, message: 'etcdserver: mvcc: database space exceeded' } }
const MIB = 1024 * 1024

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

/** Puts large values, one after the other, until the answer isn't a success; gives that answer and how many went well. */
async function fill(gateway: Gateway, prefix: string) {
  for (let i = 0; ; i++) {
    // Random, so that the database can't make it smaller.
    const value = randomBytes(100_000).toString('base64')
    const answer = await gateway.call('/v3/kv/put', { key: b64(`${prefix}${i}`), value })
    if (answer.status !== 200) return { answer, puts: i }
  }
}

const status = (gateway: Gateway) => gateway.ok<JsonObject>('/v3/maintenance/status', {})

it('a store that reaches its quota takes no more data until it is made smaller and the alarm is cleared', async () => {
  const schema = postgres.freshSchema()
  // More than is written while the size is looked at.
  const quota = 16 * MIB
  const args = ['--quota-backend-bytes', String(quota)]
  await using server = await startEdgetcd({ databaseUrl: postgres.url, schema, args })
  const { gateway } = server
  const { answer, puts } = await fill(gateway, 'k')
  expect(answer).toMatchObject(NO_SPACE)
  expect(await status(gateway)).toMatchObject({
    dbSizeQuota: String(quota),
    errors: [expect.stringMatching(/^memberID:\d+ alarm:NOSPACE $/)],
  })
  expect(await gateway.status('/health')).toBe(503)
  expect(server.child.output()).toMatch(/"level":"warn".*the store has reached its quota: NOSPACE is raised/)
  const size = Number((await status(gateway)).dbSize)
  expect(size, 'it stops near the quota').toBeLessThan(2 * quota)
  expect(await gateway.call('/v3/lease/grant', { TTL: '60' })).toMatchObject(NO_SPACE)

  // Another server on the store refuses, too, though its own quota is the default.
  await using other = await startEdgetcd({ databaseUrl: postgres.url, schema })
  expect(await other.gateway.call('/v3/kv/put', { key: b64('k') })).toMatchObject(NO_SPACE)

  const { header } = await gateway.ok<JsonObject>('/v3/kv/deleterange', {
    key: b64('k'),
    range_end: b64('l'),
  })
  const { revision = '' } = header as JsonObject
  await gateway.ok('/v3/kv/compaction', { revision, physical: true })
  await gateway.ok('/v3/maintenance/defragment', {})
  expect(Number((await status(gateway)).dbSize), 'defragmented').toBeLessThan(MIB)
  expect(await gateway.call('/v3/kv/put', { key: b64('k') }), 'nobody cleared it').toMatchObject(NO_SPACE)
  const { alarms } = await gateway.ok<{ alarms: JsonObject[] }>('/v3/maintenance/alarm', {})
  for (const alarm of alarms) await gateway.ok('/v3/maintenance/alarm', { ...alarm, action: 'DEACTIVATE' })
  const again = await fill(gateway, 'again')
  expect(again.answer, 'and it is raised again').toMatchObject(NO_SPACE)
  expect(again.puts).toBeGreaterThan(puts / 2)
})

it('is none when it is negative', async () => {
  const schema = postgres.freshSchema()
  const args = ['--quota-backend-bytes', '-1']
  await using server = await startEdgetcd({ databaseUrl: postgres.url, schema, args })
  expect(await status(server.gateway)).toMatchObject({ dbSizeQuota: '-1' })
})
