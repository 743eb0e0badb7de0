import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withPostgresScheme } from '../../src/database-url.ts'
import { migrate } from '../../src/store/migrate.ts'
import { YUGABYTEDB } from '../../src/store/yugabytedb/dialect.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startYugabyteDbStandIn } from '../support/yugabytedb.ts'

describe('leases on the schema for YugabyteDB, whose nodes start one by one (invariant 9)', () => {
  let postgres: Postgres
  let schema: string
  beforeAll(async () => {
    postgres = await startPostgres(18)
    await using database = await startYugabyteDbStandIn(postgres)
    schema = postgres.freshSchema()
    const config = { connectionString: withPostgresScheme(database.url) }
    await migrate(config, schema, () => {}, false, YUGABYTEDB)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  /** Passes over a lease that has fallen due, when the store remembers that start of a node. Gives whether it lives. */
  const survives = async (remembered: string): Promise<boolean> => {
    await postgres.query(`delete from ${schema}.lease`)
    await postgres.query(
      `insert into ${schema}.lease values (7, 3600, clock_timestamp() - interval '1 second')`,
    )
    await postgres.query(`update ${schema}.head set incarnation = $1`, [remembered])
    await postgres.query(`select ${schema}.expire_leases(1, 100)`)
    return (await postgres.query(`select from ${schema}.lease where expires_at > now()`)).rowCount === 1
  }
  const remembered = async (): Promise<string> =>
    (await postgres.query(`select incarnation from ${schema}.head`)).rows[0].incarnation

  test('a node that was started after all that were seen is taken for a return: leases get their TTL anew', async () => {
    expect(await survives('1000000000.000000')).toBe(true)
    expect(Number(await remembered())).toBeGreaterThan(1_700_000_000)
    expect(await survives(await remembered()), 'the next time it is known').toBe(false)
  })

  test('one that was started before another is none, or no lease would end while servers use both', async () => {
    expect(await survives('9999999999.000000')).toBe(false)
    expect(await remembered()).toBe('9999999999.000000')
  })

  test('a new store has seen none', async () => {
    expect(await survives('')).toBe(false)
  })
})
