import { describe, expect, it } from 'vitest'
import { ConfigError } from '../config/config-error.ts'
import { type Sql, SqlError, type Statement } from '../store/sql.ts'
import { countedCoordinator, countedSql, Subrequests } from './subrequests.ts'

const STATEMENT: Statement = { name: 'a', text: 'select 1', types: [] }

/** A database that notes what reaches it, and fails as told. */
function fakeSql() {
  const sent: string[] = []
  let error: SqlError | undefined
  const run = (kind: string) => async () => {
    sent.push(kind)
    if (error !== undefined) throw error
    return []
  }
  const sql: Sql = { read: run('read'), long: run('long'), write: run('write'), close: async () => {} }
  return {
    sql,
    sent,
    failWith: (kind: SqlError['kind'] | undefined) => {
      error = kind && new SqlError(kind, kind)
    },
  }
}

async function times(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) await work()
}

describe('subrequests', () => {
  it('ends what waits while eight are left, once; and sends none beyond the last', async () => {
    const { sql, sent } = fakeSql()
    const subrequests = new Subrequests('20')
    let ended = 0
    subrequests.whenScarce(() => ended++)
    const counted = countedSql(sql, subrequests, 'statement')
    const read = () => counted.read(STATEMENT, [])
    await times(11, read)
    expect(ended).toBe(0)
    await times(9, read)
    expect(ended).toBe(1)
    await expect(counted.write(STATEMENT, [])).rejects.toMatchObject({ code: 8 })
    await expect(counted.long(STATEMENT, [])).rejects.toThrow('SUBREQUESTS_MAX')
    expect(sent).toEqual(Array(20).fill('read'))
  })

  it('are 50 unless it is said', async () => {
    const { sql, sent } = fakeSql()
    const counted = countedSql(sql, new Subrequests(undefined), 'statement')
    await expect(times(60, () => counted.write(STATEMENT, []))).rejects.toMatchObject({ code: 8 })
    expect(sent).toHaveLength(50)
  })

  it.each(['9', '0', '-1', '1.5', 'many'])('are not %s', (max) => {
    expect(() => new Subrequests(max)).toThrow(ConfigError)
  })

  it('are one for all statements on a connection, and more for a connection that is lost', async () => {
    const { sql, sent, failWith } = fakeSql()
    const subrequests = new Subrequests('10')
    let isScarce = false
    subrequests.whenScarce(() => {
      isScarce = true
    })
    const counted = countedSql(sql, subrequests, 'connection')
    await times(1000, () => counted.read(STATEMENT, []))
    expect([sent.length, isScarce]).toEqual([1000, false])
    failWith('failed')
    await expect(counted.read(STATEMENT, [])).rejects.toThrow('failed')
    expect(isScarce, 'the database refused it, on the same connection').toBe(false)
    failWith('unknown')
    await expect(counted.read(STATEMENT, [])).rejects.toThrow('unknown')
    expect(isScarce, 'it was sent again on another one').toBe(true)
    failWith(undefined)
    await times(10, () => counted.read(STATEMENT, []))
  })

  it('count what failed on its way twice, for it may have been sent twice', async () => {
    const { sql, sent, failWith } = fakeSql()
    failWith('unreachable')
    const counted = countedSql(sql, new Subrequests('10'), 'statement')
    const failures: unknown[] = []
    await times(10, () => counted.read(STATEMENT, []).catch((error: unknown) => failures.push(error)))
    expect(sent).toHaveLength(5)
    expect(failures.slice(4)).toMatchObject([{ kind: 'unreachable' }, ...Array(5).fill({ code: 8 })])
  })

  it('are one for each call of the coordinator', async () => {
    const subrequests = new Subrequests('10')
    let calls = 0
    const coordinator = countedCoordinator(
      {
        write: async () => {
          throw new Error('not asked')
        },
        next: async () => {
          calls++
          return undefined
        },
        follow: async () => {
          calls++
        },
        sample: async () => {
          calls++
        },
      },
      subrequests,
    )
    const query = {
      after: 1n,
      range: { key: new Uint8Array(1), rangeEnd: new Uint8Array(0) },
      prevKv: false,
      fresh: false,
    }
    await times(5, () => coordinator.next(query, 1000, new AbortController().signal))
    await times(5, () => coordinator.sample())
    await expect(coordinator.sample()).rejects.toMatchObject({ code: 8 })
    expect(calls).toBe(10)
  })
})
