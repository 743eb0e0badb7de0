import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Hyperdrive, type HyperdriveOptions, startHyperdrive } from '../support/hyperdrive.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
  await postgres.query('create table done (n int)')
  await postgres.query(
    'create function do_it(n int) returns int volatile language sql begin atomic insert into done values (n) returning n; end',
  )
})
afterAll(() => postgres[Symbol.asyncDispose]())

interface Session extends AsyncDisposable {
  readonly hyperdrive: Hyperdrive
  readonly client: pg.Client
}

async function session(options: HyperdriveOptions = {}): Promise<Session> {
  const hyperdrive = await startHyperdrive(postgres.url, options)
  const client = await connect(hyperdrive)
  return {
    hyperdrive,
    client,
    async [Symbol.asyncDispose]() {
      await client.end()
      await hyperdrive[Symbol.asyncDispose]()
    },
  }
}

async function connect(hyperdrive: Hyperdrive, pipeline = false): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: hyperdrive.url, pipeline })
  client.on('error', () => {})
  await client.connect()
  return client
}

const count = async (n: number) => (await postgres.query('select from done where n = $1', [n])).rowCount ?? 0

test('a repeated call of a volatile function is answered from the cache, and not done', async () => {
  await using through = await session()
  const { client, hyperdrive } = through
  for (let i = 0; i < 3; i++) await client.query('select do_it($1)', [1])
  expect(await count(1)).toBe(1)
  await client.query('/* another */ select do_it($1)', [1])
  expect(await count(1), 'a comment is no part of the key').toBe(1)
  await client.query('select do_it($1)', [2])
  expect(await count(2), 'other parameters').toBe(1)
  for (let i = 0; i < 3; i++) await client.query('select do_it(3)')
  expect(await count(3), 'without parameters, in one message').toBe(1)
  expect(hyperdrive.counts.hits).toBe(5)
  expect(hyperdrive.counts.cacheable).toHaveLength(8)
})

test.each([
  ['a name in a comment', 'select do_it($1) /* now() */'],
  ['a call', 'select do_it($1), now()'],
  ['a call in a WITH', 'with clock as (select now()) select do_it($1)'],
])('with %s it is done each time', async (what, text) => {
  await using through = await session()
  const n = 100 + text.length
  for (let i = 0; i < 3; i++) await through.client.query(text, [n])
  expect(await count(n), what).toBe(3)
  expect(through.hyperdrive.counts).toMatchObject({ hits: 0, cacheable: [] })
})

test('what failed, what writes and what is in a transaction is done each time', async () => {
  await using through = await session()
  const { client, hyperdrive } = through
  for (let i = 0; i < 2; i++) await expect(client.query('select 1 / $1::int', [0])).rejects.toThrow('zero')
  for (let i = 0; i < 2; i++) await client.query('insert into done values (5)')
  expect(await count(5)).toBe(2)
  await client.query('begin')
  for (let i = 0; i < 2; i++) await client.query('select do_it(6)')
  await client.query('rollback')
  expect(await count(6)).toBe(0)
  expect(hyperdrive.counts.hits).toBe(0)
})

const PID = 'select pg_backend_pid() as pid /* now() */'

test('a client has another connection for each transaction, and keeps no state', async () => {
  await using through = await session()
  const { client, hyperdrive } = through
  const pid = async () => (await client.query<{ pid: number }>(PID)).rows[0]?.pid
  const first = await pid()
  const second = await pid()
  expect(second).not.toBe(first)
  await client.query("set statement_timeout = '7s'")
  for (let i = 0; i < 6; i++) {
    const { rows } = await client.query('show statement_timeout')
    expect(rows).toEqual([{ statement_timeout: '0' }])
  }
  await client.query('begin')
  expect(await pid()).toBe(await pid())
  await client.query('commit')
  expect(hyperdrive.counts.switched).toBeGreaterThan(5)
})

test('prepared statements of the protocol work on every connection', async () => {
  await using through = await session()
  const { client } = through
  const named = { name: 'sum', text: 'select $1::int + $2::int as sum /* now() */' }
  for (const n of [1, 2, 3]) {
    expect((await client.query({ ...named, values: [n, n] })).rows).toEqual([{ sum: 2 * n }])
  }
})

test.each([
  'select pg_advisory_xact_lock(1)',
  'listen events',
  "select pg_notify('events', '')",
  'prepare p as select 1',
  'discard all',
])('%s is refused', async (text) => {
  await using through = await session()
  await expect(through.client.query(text)).rejects.toThrow('Hyperdrive has no such thing')
  expect(through.hyperdrive.counts.refused).toEqual([text])
  expect((await through.client.query('select 1 as one')).rows, 'the connection goes on').toEqual([{ one: 1 }])
})

test('a pipeline of statements is answered in order, each on a connection of its own, errors and all', async () => {
  await using through = await session({ connections: 2 })
  const client = await connect(through.hyperdrive, true)
  const answers = await Promise.allSettled(
    Array.from({ length: 50 }, (_, i) =>
      client.query<{ n: number; pid: number }>(
        'select 10 / $1::int as n, pg_backend_pid() as pid /* now() */',
        [i % 5],
      ),
    ),
  )
  const values = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.rows[0]?.n : 'error'))
  expect(values).toEqual(Array.from({ length: 50 }, (_, i) => ['error', 10, 5, 3, 2][i % 5]))
  const pids = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.rows[0]?.pid] : []))
  expect(new Set(pids).size).toBe(2)
  await client.end()
})

test('five connections serve fifty clients; one that is held up too long says so', async () => {
  await using through = await session({ connections: 5, patienceMs: 3_000 })
  const { hyperdrive } = through
  const clients = await Promise.all(Array.from({ length: 50 }, () => connect(hyperdrive)))
  await Promise.all(clients.map((client) => client.query(PID)))
  await Promise.all(clients.slice(0, 5).map((client) => client.query('begin')))
  await expect(clients[5]?.query(PID)).rejects.toMatchObject({
    code: '58000',
    message: 'Failed to acquire a connection from the pool.',
  })
  await clients[0]?.query('commit')
  await clients[5]?.query(PID)
  await Promise.all(clients.map((client) => client.end()))
})
