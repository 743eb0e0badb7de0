import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandSays, runCommand } from '../support/command.ts'
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
