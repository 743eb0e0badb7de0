import { describe, expect, it } from 'vitest'
import { ConfigError } from '../config/config-error.ts'
import { Metrics } from '../observe/metrics.ts'
import { testEnvironment } from '../service/watch/testing/environment.ts'
import { type Sql, SqlError, type Statement } from '../store/sql.ts'
import { CoordinatorClient } from './coordinator/client.ts'
import { CoordinatorGauges } from './coordinator/gauges.ts'
import type { CoordinatorRpc } from './coordinator/protocol.ts'
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
    subrequests.scarce.addEventListener('abort', () => ended++)
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
    const counted = countedSql(sql, subrequests, 'connection')
    await times(1000, () => counted.read(STATEMENT, []))
    expect([sent.length, subrequests.scarce.aborted]).toEqual([1000, false])
    failWith('failed')
    await expect(counted.read(STATEMENT, [])).rejects.toThrow('failed')
    expect(subrequests.scarce.aborted, 'the database refused it, on the same connection').toBe(false)
    failWith('unknown')
    await expect(counted.read(STATEMENT, [])).rejects.toThrow('unknown')
    expect(subrequests.scarce.aborted, 'it was sent again on another one').toBe(true)
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

  it('are one for each call of the coordinator, also for one that is lost, and for leaving it', async () => {
    const subrequests = new Subrequests('14')
    const calls: string[] = []
    const note = (call: string) => async () => {
      calls.push(call)
      throw new Error('lost')
    }
    const object: CoordinatorRpc = {
      write: note('write'),
      next: note('next'),
      follow: note('follow'),
      leave: note('leave'),
      state: note('state'),
    }
    const client = new CoordinatorClient({
      connect: () => countedCoordinator(object, subrequests),
      environment: testEnvironment({ now: () => 0, sleep: async () => {} }),
      gauges: new CoordinatorGauges(new Metrics()),
      waitUntil: () => {},
    })
    const query = {
      after: 1n,
      range: { key: new Uint8Array(1), rangeEnd: new Uint8Array(0) },
      prevKv: false,
      fresh: false,
    }
    const { signal } = new AbortController()
    await expect(client.next(query, 1000, signal)).rejects.toMatchObject({ code: 14 })
    expect(calls).toEqual(['next', 'next', 'next'])
    await expect(client.follow(query, async () => {}, AbortSignal.abort())).rejects.toMatchObject({
      code: 14,
    })
    expect(calls.slice(3)).toEqual(['follow', 'leave'])
    expect(subrequests.scarce.aborted).toBe(false)
    await client.sample()
    expect(subrequests.scarce.aborted).toBe(true)
    await times(8, () => client.sample())
    expect(calls).toHaveLength(14)
    await expect(client.next(query, 1000, signal)).rejects.toMatchObject({ code: 8 })
    await client.sample()
    expect(calls).toHaveLength(14)
  })
})
