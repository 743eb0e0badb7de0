import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { b64, type Gateway, type RangeAnswer, type TxnAnswer } from '../support/gateway.ts'
import { startHyperdrive } from '../support/hyperdrive.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { prefixRange, watch } from '../support/watching.ts'
import { chosenWays, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'
import { startOnHyperdrive, type WorkerOnHyperdrive } from './worker.ts'

const NO_LEADER = { status: 503, body: { code: 14, message: 'etcdserver: no leader' } }
const UNKNOWN = {
  status: 503,
  body: { code: 14, message: 'etcdserver: request timed out, possibly due to connection lost' },
}

/** Hyperdrive's smallest pool. */
const CONNECTIONS = 5

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return client
}

const put = (gateway: Gateway, key: string, value = 'v') =>
  gateway.call('/v3/kv/put', { key: b64(key), value: b64(value) })

const WAYS = chosenWays(['hyperdrive', 'hyperdrive+coordinator']).filter(
  (way) => WORKER_WAYS[way].driver === 'hyperdrive',
)

describe.each(WAYS)('%s: the Worker, with transactions pooled and queries cached', (way) => {
  let schema: string
  let worker: WorkerOnHyperdrive
  let gateway: Gateway
  beforeAll(async () => {
    schema = postgres.freshSchema()
    worker = await startOnHyperdrive(
      { databaseUrl: postgres.url, schema },
      {
        namesCount: 'outside comments',
        connections: CONNECTIONS,
        patienceMs: 5000,
        coordinator: WORKER_WAYS[way].coordinator,
      },
    )
    gateway = worker.gateway
  })
  // Fails when a statement could have been answered from the cache, or was none for Hyperdrive.
  afterAll(() => worker[Symbol.asyncDispose]())

  const writesSent = () => worker.hyperdrive.counts.sent.filter((text) => text.includes('.apply(')).length

  it('does the same request twice when it is sent twice', async () => {
    const first = await gateway.put('twice', 'v')
    expect(await gateway.put('twice', 'v')).toBe(first + 1)
    expect(await gateway.get('twice')).toMatchObject({ version: '2' })
    expect(await gateway.get('twice')).toMatchObject({ version: '2' })
    await gateway.put('twice', 'v')
    expect(await gateway.get('twice')).toMatchObject({ version: '3' })
    const swap = {
      compare: [{ key: b64('twice'), target: 'VERSION', version: '3' }],
      success: [{ request_put: { key: b64('twice') } }],
      failure: [{ request_range: { key: b64('twice') } }],
    }
    expect((await gateway.ok<TxnAnswer>('/v3/kv/txn', swap)).succeeded).toBe(true)
    expect((await gateway.ok<TxnAnswer>('/v3/kv/txn', swap)).succeeded).toBeUndefined()
    expect(worker.hyperdrive.counts.hits).toBe(0)
  })

  it('renews a lease each time, and follows what is written', async () => {
    await gateway.ok('/v3/lease/grant', { ID: '7', TTL: '600' })
    await gateway.ok('/v3/kv/put', { key: b64('watched/leased'), lease: '7' })
    const deadline = async () =>
      (await postgres.query(`select expires_at::text as at from ${schema}.lease where id = 7`)).rows[0]?.at
    for (let i = 0; i < 2; i++) {
      const before = await deadline()
      await gateway.ok('/v3/lease/keepalive', { ID: '7' })
      expect(await deadline()).not.toBe(before)
    }
    const { switched } = worker.hyperdrive.counts
    const watching = await watch(gateway, prefixRange('watched/'))
    let revision = 0
    for (let i = 0; i < 5; i++) {
      revision = await gateway.put('watched/key', String(i))
      await watching.reached(revision)
    }
    await gateway.ok('/v3/lease/revoke', { ID: '7' })
    await watching.reached(revision + 1)
    expect(watching.events.map(({ type, value }) => `${type} ${value}`)).toEqual([
      ...[0, 1, 2, 3, 4].map((i) => `PUT ${i}`),
      'DELETE ',
    ])
    watching.close()
    expect(worker.hyperdrive.counts.switched, 'one request, another connection each time').toBeGreaterThan(
      switched,
    )
  })

  it('asks for rights as they are now', async () => {
    const call = (path: string, body: object) => gateway.ok(`/v3/auth/${path}`, { ...body })
    await call('user/add', { name: 'root', password: 'root' })
    await call('role/add', { name: 'root' })
    await call('user/grant', { user: 'root', role: 'root' })
    await call('user/add', { name: 'reader', password: 'reader' })
    await call('role/add', { name: 'readers' })
    await call('user/grant', { user: 'reader', role: 'readers' })
    await call('enable', {})
    const token = async (name: string) => {
      const { token } = await gateway.ok<{ token: string }>('/v3/auth/authenticate', { name, password: name })
      return { headers: { authorization: token } }
    }
    const root = await token('root')
    const reader = await token('reader')
    const read = async () => (await gateway.call('/v3/kv/range', { key: b64('twice') }, reader)).status
    const change = (path: string, body: object) => gateway.call(`/v3/auth/${path}`, { ...body }, root)
    const interval = { key: b64('twice') }
    expect(await read()).toBe(403)
    await change('role/grant', { name: 'readers', perm: { permType: 'READ', ...interval } })
    expect(await read()).toBe(200)
    await change('role/revoke', { role: 'readers', ...interval })
    expect(await read()).toBe(403)
    expect((await change('disable', {})).status).toBe(200)
  })

  it('serves fifty requests at a time on five connections', async () => {
    const before = writesSent()
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => put(gateway, `many/${i}`)))
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const { count } = await gateway.ok<RangeAnswer>('/v3/kv/range', {
      ...prefixRange('many/'),
      count_only: true,
    })
    expect(count).toBe('50')
    if (WORKER_WAYS[way].coordinator) expect(writesSent() - before, 'in batches').toBeLessThan(50)
    else expect(writesSent() - before).toBe(50)
  })

  it.each(['cut', 'internal error'] as const)(
    "does a write once whose answer is lost (%s), and says that it isn't known (invariant 10)",
    async (fault) => {
      const before = writesSent()
      worker.hyperdrive.loseAnswerTo('.apply(', fault)
      expect(await put(gateway, fault)).toMatchObject(UNKNOWN)
      expect(writesSent(), 'not sent again').toBe(before + 1)
      expect(await gateway.get(fault)).toMatchObject({ version: '1' })
    },
  )

  it("says so too of a write whose connection to PostgreSQL is cut, and doesn't send it again (invariant 10)", async () => {
    const writer = await holdWriteLock()
    const answer = put(gateway, 'ended')
    const pid = await waitingWriter()
    const before = writesSent()
    await postgres.query('select pg_terminate_backend($1)', [pid])
    expect(await answer).toMatchObject(UNKNOWN)
    expect(writesSent(), 'not sent again').toBe(before)
    await writer.end()
    expect(await gateway.get('ended')).toBeUndefined()
  })

  it("does a write once whose client's connection is cut before it is done (invariant 10)", async () => {
    const writer = await holdWriteLock()
    const answer = put(gateway, 'left')
    await waitingWriter()
    const before = writesSent()
    worker.hyperdrive.dropClients()
    expect(await answer).toMatchObject(UNKNOWN)
    expect(writesSent(), 'not sent again').toBe(before)
    await writer.end()
    // Every later write waits for it.
    await gateway.put('after', 'v')
    expect(await gateway.get('left')).toMatchObject({ version: '1' })
  })

  it('has no leader when Hyperdrive has no connection for it (invariant 10)', async () => {
    const others = await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const other = await connect(worker.hyperdrive.url)
        await other.query('begin')
        return other
      }),
    )
    const answers = [put(gateway, 'crowded'), gateway.call('/v3/kv/range', { key: b64('crowded') })]
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject(NO_LEADER)
    await Promise.all(others.map((other) => other.end()))
    expect(await gateway.get('crowded')).toBeUndefined()
  })

  it('has no leader while the database is away (invariant 10)', async () => {
    await postgres.stop('fast')
    expect(await put(gateway, 'away')).toMatchObject(NO_LEADER)
    await postgres.start()
    expect(await gateway.get('away')).toBeUndefined()
    expect((await put(gateway, 'away')).status).toBe(200)
  })

  /** Has every write wait, until the client's connection ends. */
  async function holdWriteLock(): Promise<pg.Client> {
    const client = await connect(postgres.url)
    await client.query(`begin; lock table ${schema}.write_lock in share row exclusive mode`)
    return client
  }

  /** Resolves with the process that waits for a lock, once there is one. */
  async function waitingWriter(): Promise<number> {
    for (;;) {
      const { rows } = await postgres.query(`select pid from pg_stat_activity where wait_event_type = 'Lock'`)
      if (rows[0]) return rows[0].pid
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
})

it('would be served a repeated write from the cache, were it not for the marker', async () => {
  const schema = postgres.freshSchema()
  await using hyperdrive = await startHyperdrive(postgres.url, { namesCount: 'nowhere' })
  await using worker = await startWorkerd({
    databaseUrl: postgres.url,
    schema,
    through: async () => hyperdrive.url,
  })
  const first = await worker.gateway.put('k', 'v')
  expect(await worker.gateway.put('k', 'v')).toBe(first)
  expect(hyperdrive.counts.hits).toBeGreaterThan(0)
  const { rows } = await postgres.query(`select version::text from ${schema}.kv`)
  expect(rows).toEqual([{ version: '1' }])
})
