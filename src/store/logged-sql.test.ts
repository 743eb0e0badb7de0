import { expect, it } from 'vitest'
import { loggedSql } from './logged-sql.ts'
import { connectFailure } from './postgres/failure.ts'
import { type Sql, SqlError, type Statement } from './sql.ts'

const STATEMENT: Statement = { name: 'a', text: 'select 1', types: [] }

/** What is logged when each kind of statement fails with this. */
async function logged(error: Error) {
  const run = async () => {
    throw error
  }
  const failing: Sql = { read: run, long: run, write: run, close: run }
  const lines: unknown[] = []
  const sql = loggedSql(failing, (level, message, fields) => lines.push({ level, message, ...fields }))
  for (const call of [sql.read, sql.long, sql.write]) await expect(call(STATEMENT, [])).rejects.toBe(error)
  expect(new Set(lines.map((line) => JSON.stringify(line))).size, 'of a read as of a write').toBe(1)
  return lines[0]
}

it("says the database's own words of a connection that it refuses", async () => {
  const refused = Object.assign(new Error('password authentication failed for user "a"'), {
    code: '28P01',
    severity: 'FATAL',
  })
  expect(await logged(connectFailure(refused))).toEqual({
    level: 'error',
    message: "the database can't be reached, or doesn't let edgetcd in",
    error: 'password authentication failed for user "a"',
    sqlstate: '28P01',
  })
})

it('says what every address answered', async () => {
  const refused = new AggregateError([new Error('connect ECONNREFUSED ::1:5432'), new Error('and 127.0.0.1')])
  expect(await logged(connectFailure(refused))).toMatchObject({
    error: 'connect ECONNREFUSED ::1:5432, and 127.0.0.1',
  })
})

it('tells a lost connection, a statement that was refused, and one that is tried again', async () => {
  expect(await logged(new SqlError('unknown', 'lost'))).toMatchObject({ level: 'error', error: 'lost' })
  const noRight = new SqlError('failed', 'permission denied for table kv', { sqlstate: '42501' })
  expect(await logged(noRight)).toEqual({
    level: 'error',
    message: 'the database refused a statement',
    error: 'permission denied for table kv',
    sqlstate: '42501',
  })
  const deadlock = new SqlError('failed', 'deadlock detected', { sqlstate: '40P01' })
  expect(await logged(deadlock)).toMatchObject({ level: 'warn' })
})

it('never tells data', async () => {
  const error = new SqlError('failed', 'invalid input syntax for type bytea: "secret"', { sqlstate: '22P02' })
  expect(await logged(error)).toMatchObject({ error: 'a data exception', sqlstate: '22P02' })
})

it('keeps connection strings to itself, and is short', async () => {
  const error = connectFailure(new Error(`no: postgres://user:secret@host/db?x=1 ${'x'.repeat(9000)}`))
  const { error: text } = (await logged(error)) as { error: string }
  expect(text).toMatch(/^no: \(a URL\) x+$/)
  expect(text).toHaveLength(500)
})
