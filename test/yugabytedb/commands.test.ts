import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandSays, runCommand } from '../support/command.ts'
import { startEdgetcd } from '../support/edgetcd.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startYugabyteDbStandIn, type YugabyteDbStandIn } from '../support/yugabytedb.ts'

let postgres: Postgres
let database: YugabyteDbStandIn
beforeAll(async () => {
  postgres = await startPostgres(18)
  database = await startYugabyteDbStandIn(postgres)
})
afterAll(async () => {
  await database[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
})

test('every command works on yugabytedb://, with nothing that YugabyteDB lacks', async () => {
  await commandSays(database, 'one', 'migrate')
  await commandSays(database, 'two', 'migrate')
  await commandSays(database, 'one', 'compact', '--auto-compaction-retention', '1h')
  await commandSays(database, 'one', 'recover', '--bump-revision', '1000')
  const listed = (await runCommand(database, 'one', 'stores', 'list')).lines.map((line) => JSON.parse(line))
  expect(listed[0].stores).toMatchObject([
    { schema: 'one', revision: '1001', version: 'current' },
    { schema: 'two', revision: '1', version: 'current' },
  ])
  expect((await runCommand(database, 'one', 'stores', 'drop', 'two', '--yes', 'two')).code).toBe(0)
  const schemas = await postgres.query(`select nspname from pg_namespace where nspname in ('one', 'two')`)
  expect(schemas.rows).toEqual([{ nspname: 'one' }])
  expect(database.lacking).toEqual([])
})

test.each([['list'], ['drop', 'any', '--yes', 'any']])(
  'stores %s refuses a database of the other engine',
  async (...words) => {
    const asYugabyte = { url: postgres.url.replace(/^postgres(ql)?:/, 'yugabytedb:') }
    const asPostgres = { url: database.url.replace(/^yugabytedb:/, 'postgres:') }
    const [of, and] = await Promise.all(
      [asYugabyte, asPostgres].map((at) => runCommand(at, 'one', 'stores', ...words)),
    )
    expect(of).toMatchObject({ code: 1 })
    expect(of?.lines[0]).toContain('not YugabyteDB: let its URL begin with postgres://')
    expect(and).toMatchObject({ code: 1 })
    expect(and?.lines[0]).toContain('let its URL begin with yugabytedb://')
  },
)

test('drop asks first for what needs the store, since what it has dropped by then would be gone', async () => {
  await commandSays(database, 'needed', 'migrate')
  for (const [by, made] of [
    ['view elsewhere.keys', 'create view elsewhere.keys as select key from needed.kv'],
    ['function needed.mine()', 'create function needed.mine() returns int language sql as $$select 1$$'],
    ['view elsewhere.size', 'create view elsewhere.size as select * from needed.store_size()'],
    ['type needed.mood', `create type needed.mood as enum ('fine')`],
  ] as const) {
    await postgres.query(`create schema elsewhere; ${made}`)
    const { code, lines } = await runCommand(database, 'one', 'stores', 'drop', 'needed', '--yes', 'needed')
    expect(code).toBe(2)
    expect(lines[0]).toContain('nothing was dropped')
    expect(lines[0]).toContain(by)
    await postgres.query(`drop schema elsewhere cascade; drop ${by}`.replace(/drop view .*$/, ''))
  }
  await using server = await startEdgetcd({ databaseUrl: database.url, schema: 'needed' })
  expect(await server.gateway.put('k', 'v'), 'it is whole').toBe(2)
})

test('a drop that was broken off leaves a store, which migrating makes whole and dropping drops', async () => {
  for (const then of ['migrate', 'drop'] as const) {
    await commandSays(database, 'half', 'migrate')
    const { rows } = await postgres.query(
      `select oid::regprocedure as signature from pg_proc where pronamespace = 'half'::regnamespace limit 10`,
    )
    await postgres.query(
      `delete from half.function_set; drop function ${rows.map(({ signature }) => signature).join(', ')}`,
    )
    const { stores } = await commandSays(database, 'one', 'stores', 'list')
    expect(stores).toContainEqual(expect.objectContaining({ schema: 'half', version: 'older' }))
    if (then === 'migrate') {
      await using server = await startEdgetcd({ databaseUrl: database.url, schema: 'half' })
      expect(await server.gateway.put('k', 'v')).toBe(2)
    }
    expect((await runCommand(database, 'one', 'stores', 'drop', 'half', '--yes', 'half')).code).toBe(0)
  }
})

test('a URL with the scheme of the other engine is told, and nothing is done', async () => {
  const url = database.url.replace('yugabytedb:', 'postgres:')
  const wrong = await runCommand({ url }, 'three', 'migrate')
  expect(wrong.code).not.toBe(0)
  expect(wrong.lines.join('\n')).toContain('let its URL begin with yugabytedb://')
  const right = await runCommand(
    { url: postgres.url.replace('postgres:', 'yugabytedb:') },
    'three',
    'migrate',
  )
  expect(right.lines.join('\n')).toContain('let its URL begin with postgres://')
})
