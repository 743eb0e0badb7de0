import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, Gateway } from '../support/gateway.ts'
import { freePorts } from '../support/ports.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

/** What a call may take that nothing holds up, on a busy machine: less than one that waits for a lock until its time is over. */
const PROMPT = { timeoutMs: 5_000 }

describe('of two etcds in one process, while one is in trouble', () => {
  let postgres: Postgres
  let server: Edgetcd
  let troubled: Gateway
  let other: Gateway
  let holder: pg.Client
  beforeAll(async () => {
    postgres = await startPostgres(18)
    const ports = await freePorts(2)
    const [first = 0, second = 0] = ports
    const store = `troubled=http://127.0.0.1:${first},other=http://127.0.0.1:${second}`
    server = await startEdgetcd({ databaseUrl: postgres.url, port: first, args: ['--store', store] })
    troubled = new Gateway(`http://127.0.0.1:${first}`)
    other = new Gateway(`http://127.0.0.1:${second}`)
    for (const gateway of [troubled, other]) await gateway.put('k', 'v')
    holder = new pg.Client({ connectionString: postgres.url })
    await holder.connect()
  })
  afterAll(async () => {
    await holder.end()
    for (const gateway of [troubled, other]) gateway.close()
    await server[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  const waiting = async (): Promise<number> =>
    (
      await postgres.query(
        `select from pg_stat_activity where application_name = 'edgetcd' and wait_event_type = 'Lock'`,
      )
    ).rowCount ?? 0
  const read = (gateway: Gateway, options = {}) => gateway.call('/v3/kv/range', { key: b64('k') }, options)

  it('the other one is read while the tables of the first are locked, as while it is defragmented', async () => {
    await holder.query('begin; lock table troubled.kv in access exclusive mode')
    const held = Array.from({ length: 10 }, () => read(troubled))
    await expect.poll(waiting).toBeGreaterThan(1)
    for (let n = 0; n < 20; n++) {
      held.push(read(troubled))
      expect((await read(other, PROMPT)).status).toBe(200)
    }
    expect((await other.call('/v3/kv/put', { key: b64('k'), value: b64('w') }, PROMPT)).status).toBe(200)
    await holder.query('commit')
    for (const { status, body } of await Promise.all(held)) expect(status, JSON.stringify(body)).toBe(200)
    expect((await read(troubled, PROMPT)).status).toBe(200)
  })

  it('the other one is written while more calls of the first wait than there are connections', async () => {
    await holder.query('begin; lock table troubled.lease in exclusive mode')
    const held = Array.from({ length: 12 }, () => troubled.call('/v3/lease/grant', { TTL: '60' }))
    await expect.poll(waiting).toBeGreaterThan(3)
    for (let n = 0; n < 20; n++)
      expect((await other.call('/v3/kv/put', { key: b64('k'), value: b64(`${n}`) }, PROMPT)).status).toBe(200)
    await holder.query('commit')
    await Promise.all(held)
  })

  it('a role’s lock_timeout fails no write that can wait', async () => {
    await postgres.query(`create role hasty superuser login; alter role hasty set lock_timeout = '50ms'`)
    const hasty = postgres.url.replace('postgres@', 'hasty@')
    await using impatient = await startEdgetcd({ databaseUrl: hasty, schema: 'other' })
    await holder.query('begin; lock table other.write_lock in exclusive mode')
    const put = impatient.gateway.call('/v3/kv/put', { key: b64('k'), value: b64('late') })
    await expect.poll(() => impatient.child.output()).toContain('lock timeout')
    await holder.query('commit')
    expect((await put).status).toBe(200)
  })

  it('the other one is listed while more lists of the first wait than there are connections', async () => {
    const list = (gateway: Gateway, options = {}) =>
      gateway.call('/v3/kv/range', { key: 'AA==', range_end: 'AA==' }, options)
    await holder.query('begin; lock table troubled.kv in access exclusive mode')
    const held = Array.from({ length: 40 }, () => list(troubled))
    await expect.poll(waiting).toBeGreaterThan(1)
    expect((await list(other, PROMPT)).status).toBe(200)
    await holder.query('commit')
    for (const { status, body } of await Promise.all(held)) expect(status, JSON.stringify(body)).toBe(200)
  })
})
