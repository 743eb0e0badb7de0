import { expect, it } from 'vitest'
import { type Sql, SqlError, type SqlRow, type Statement } from '../store/sql.ts'
import { fairly } from './fair-sql.ts'

const STATEMENT: Statement = { name: 'one', text: 'select 1', types: [] }

/** Connections that hold what they are asked until the test answers it. */
class Held {
  readonly asked: { readonly by: keyof Sql; answer(): void; fail(sqlstate: string): void }[] = []
  readonly sql: Sql = {
    read: () => this.#ask('read'),
    long: () => this.#ask('long'),
    write: () => this.#ask('write'),
    close: async () => {},
  }
  get by(): string {
    return this.asked.map(({ by }) => by).join(' ')
  }
  #ask(by: keyof Sql): Promise<SqlRow[]> {
    return new Promise((resolve, reject) => {
      this.asked.push({
        by,
        answer: () => resolve([]),
        fail: (sqlstate) => reject(new SqlError('failed', by, { sqlstate })),
      })
    })
  }
}

it.each([
  ['write', 4],
  ['long', 2],
] as const)(
  'a store has no more than its part of the connections for what is called %s',
  async (what, part) => {
    const held = new Held()
    const sql = fairly(held.sql)
    const all = Promise.all(Array.from({ length: part + 1 }, () => sql[what](STATEMENT, [])))
    await Promise.resolve()
    expect(held.asked).toHaveLength(part)
    held.asked[0]?.answer()
    await expect.poll(() => held.asked).toHaveLength(part + 1)
    for (const { answer } of held.asked) answer()
    await all
  },
)

it.each(['55P03', '26000'])(
  'after %s reads go where writes do, until one of them was answered',
  async (sqlstate) => {
    const held = new Held()
    const sql = fairly(held.sql)
    const first = sql.read(STATEMENT, [])
    held.asked[0]?.fail(sqlstate)
    await expect.poll(() => held.by).toBe('read write')
    const second = sql.read(STATEMENT, [])
    await expect.poll(() => held.by).toBe('read write write')
    held.asked[1]?.answer()
    await first
    const third = sql.read(STATEMENT, [])
    expect(held.by).toBe('read write write read')
    for (const { answer } of held.asked) answer()
    await Promise.all([second, third])
  },
)

it('other failures are told as they are', async () => {
  const held = new Held()
  const failing = fairly(held.sql).read(STATEMENT, [])
  held.asked[0]?.fail('42P01')
  await expect(failing).rejects.toMatchObject({ sqlstate: '42P01' })
  expect(held.by).toBe('read')
})
