import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { openNeon } from '../../src/store/neon/index.ts'
import { openNeonSession } from '../../src/store/neon/session.ts'
import { openPostgres } from '../../src/store/postgres/index.ts'
import type { Sql, SqlParameter, SqlType, Statement } from '../../src/store/sql.ts'
import { type NeonProxy, startNeonProxy } from '../support/neon-proxy.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

let postgres: Postgres
let proxy: NeonProxy
let http: Sql
let session: Sql
beforeAll(async () => {
  postgres = await startPostgres(18)
  await postgres.query('create table written (id int)')
})
afterAll(() => postgres[Symbol.asyncDispose]())
beforeEach(async () => {
  proxy = await startNeonProxy(postgres.port, { answerBytesMax: 10 * 1024 * 1024 })
  const place = { connectionString: postgres.url, proxy: proxy.url }
  http = openNeon(place)
  session = openNeonSession(place)
})
afterEach(async () => {
  await Promise.all([http.close(), session.close()])
  await proxy[Symbol.asyncDispose]()
})

const statement = (text: string, types: readonly SqlType[] = []): Statement => ({
  name: `test ${text.length}`,
  text,
  types,
})
const NOW_UNKNOWN = { name: 'SqlError', kind: 'unknown' }

let writes = 0
/** A write that leaves a trace of how often it was run. */
function write() {
  const id = ++writes
  const run = (sql: Sql) => sql.write(statement(`insert into written values (${id}) /* now() */`), [])
  const times = async () => (await postgres.query('select from written where id = $1', [id])).rowCount
  return { run, times }
}

it('takes and gives every type as the driver of other databases does', async () => {
  const parameters: [SqlType, SqlParameter][] = [
    ['int8', -9_223_372_036_854_775_808n],
    ['int4', 7],
    ['bool', false],
    ['text', 'a "quoted" \\x and {braced}, ü\n'],
    ['bytea', Uint8Array.of(0, 92, 34, 255)],
    ['bytea', new Uint8Array()],
    ['text', null],
    ['int2[]', [1, null, -2]],
    ['int8[]', [1n, null]],
    ['bytea[]', [Uint8Array.of(1), null, new Uint8Array()]],
    ['int4[]', []],
  ]
  const types = parameters.map(([type]) => type)
  const echo = statement(`select ${types.map((type, i) => `$${i + 1}::${type}`).join()}`, types)
  const values = parameters.map(([, value]) => value)
  const direct = openPostgres({ connectionString: postgres.url })
  const expected = await direct.read(echo, values)
  await direct.close()
  expect(await http.read(echo, values)).toEqual(expected)
  expect(await session.read(echo, values)).toEqual(expected)
})

it('sends the text of a statement as it is', async () => {
  await http.read(statement('select 1 /* now() */'), [])
  expect(proxy.statements).toEqual(['select 1 /* now() */'])
})

it('tells what the database refused', async () => {
  for (const sql of [http, session]) {
    await expect(sql.write(statement('select 1/0'), [])).rejects.toMatchObject({
      kind: 'failed',
      sqlstate: '22012',
    })
  }
})

it('sends a write once, whatever comes of it', async () => {
  const faults = [
    ['cut', 1],
    ['lost', 0],
    ['refused', 0],
  ] as const
  for (const [fault, times] of faults) {
    const one = write()
    void proxy.failNext(/^insert/, fault)
    await expect(one.run(http), fault).rejects.toMatchObject(NOW_UNKNOWN)
    expect(await one.times(), fault).toBe(times)
  }
  expect(proxy.statements).toHaveLength(faults.length)
})

it("doesn't know of a write whose session the database ended", async () => {
  await expect(
    http.write(statement('select pg_terminate_backend(pg_backend_pid())'), []),
  ).rejects.toMatchObject(NOW_UNKNOWN)
})

it('reads again what was lost, once', async () => {
  void proxy.failNext(/^select/, 'cut')
  expect(await http.read(statement('select 1'), [])).toEqual([[1]])
  void proxy.failNext(/^select/, 'cut')
  void proxy.failNext(/^select/, 'refused')
  await expect(http.read(statement('select 1'), [])).rejects.toMatchObject(NOW_UNKNOWN)
  expect(proxy.statements).toHaveLength(4)
})

it('reads by WebSocket what is too large for HTTP', async () => {
  const rows = await http.long(statement("select repeat('x', 1000) from generate_series(1, 15000)"), [])
  expect(rows).toHaveLength(15_000)
  expect(proxy.statements).toHaveLength(1)
  expect(proxy.sessions).toBe(1)
})

it('holds one session, however many statements run at a time, and begins another when it is lost', async () => {
  const pid = statement('select pg_backend_pid()')
  const ask = async () =>
    new Set((await Promise.all(Array.from({ length: 20 }, () => session.read(pid, [])))).flat(2))
  const [first, ...others] = await ask()
  expect(others).toEqual([])
  proxy.cutSessions()
  const [second] = await ask()
  expect(second).not.toBe(first)
  expect(proxy.sessions).toBe(2)
})

it("doesn't know of a write whose session was cut", async () => {
  const sleeping = session.write(statement('select pg_sleep(60)'), [])
  const lost = expect(sleeping).rejects.toMatchObject(NOW_UNKNOWN)
  const running = "select from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'"
  while ((await postgres.query(running)).rowCount === 0);
  proxy.cutSessions()
  await lost
})

it('tells that nothing happened when there is nobody to begin a session with', async () => {
  const nowhere = openNeonSession({ connectionString: postgres.url, proxy: 'http://127.0.0.1:1' })
  await expect(nowhere.write(statement('select 1'), [])).rejects.toMatchObject({ kind: 'unreachable' })
  await nowhere.close()
})

it('runs many statements at a time', async () => {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  await client.query('begin; lock table written')
  const held = Promise.all(
    Array.from({ length: 20 }, () => http.read(statement('select count(*) from written'), [])),
  )
  const waiting = "select from pg_stat_activity where wait_event_type = 'Lock'"
  while ((await postgres.query(waiting)).rowCount !== 20);
  await client.end()
  expect(await held).toHaveLength(20)
})
