import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withPostgresScheme } from '../../src/database-url.ts'
import { openPostgres } from '../../src/store/postgres/index.ts'
import type { Statement } from '../../src/store/sql.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, text } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import {
  type Fault,
  type Refusal,
  startYugabyteDbStandIn,
  type YugabyteDbStandIn,
} from '../support/yugabytedb.ts'

/** What YugabyteDB says, with its words. */
const CONFLICT: Fault = {
  sqlstate: '40001',
  text: 'could not serialize access due to concurrent update (query layer retry is not possible)',
}
const READ_RESTART: Fault = {
  sqlstate: '40001',
  text: 'Restart read required at: { read: { physical: 1 } local_limit: { physical: 2 } }',
}
const DEADLOCK: Fault = { sqlstate: '40P01', text: 'deadlock detected (query layer retry is not possible)' }
const COMMIT_UNANSWERED: Fault = {
  sqlstate: '40001',
  text: 'UpdateTransaction RPC (request call id 19635) to 192.0.2.15:9100 timed out after 5.000s',
}
/** A commit that was asked for twice, since its first answer was lost, in the words of three versions. */
const COMMIT_FORGOTTEN: readonly Refusal[] = [
  {
    sqlstate: '40001',
    text: 'Operation expired: Transaction 2b4d8d0e-0000-4000-8000-000000000000 expired or aborted by a conflict: 40001',
  },
  {
    sqlstate: '40001',
    text: 'could not serialize access due to concurrent update',
    detail: 'Transaction 2b4d8d0e-0000-4000-8000-000000000000 expired or aborted by a conflict: 40001',
  },
  { sqlstate: '40001', text: 'current transaction is expired or aborted', detail: 'Transaction expired' },
]
const WITHIN_APPLY = 'PL/pgSQL function etcd.apply(smallint[],integer[]) line 41 at PERFORM'
const INTERNAL: Fault = { sqlstate: 'XX000', text: 'Timed out: Failed UpdateTransaction' }
const CONNECTION: Fault = { sqlstate: '08006', text: 'connection failure' }

const UNKNOWN = 'etcdserver: request timed out, possibly due to connection lost'

describe('what YugabyteDB answers instead (invariant 10)', () => {
  let postgres: Postgres
  let database: YugabyteDbStandIn
  let server: Edgetcd
  beforeAll(async () => {
    postgres = await startPostgres(18)
    database = await startYugabyteDbStandIn(postgres)
    server = await startEdgetcd({ databaseUrl: database.url })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  /** Puts, and counts how often it was run for it. */
  const put = async (key: string) => {
    const before = database.runs('apply')
    const answer = await server.gateway.call('/v3/kv/put', { key: b64(key), value: b64('x') })
    return { answer, runs: database.runs('apply') - before }
  }
  const versionOf = async (key: string) => (await server.gateway.get(key))?.version

  test.each([
    ['a conflict', CONFLICT],
    ['a read restart', READ_RESTART],
    ['a deadlock', DEADLOCK],
  ])('a write is run anew, whole, after %s', async (key, fault) => {
    database.fail('apply', fault, fault, fault)
    const { answer, runs } = await put(key)
    expect(answer.status).toBe(200)
    expect(runs).toBe(4)
    expect(await versionOf(key)).toBe('1')
  })

  test('a write is run anew when its commit failed, though all its rows had come', async () => {
    database.fail('apply', { ...CONFLICT, at: 'rollback' }, { ...DEADLOCK, at: 'rollback' })
    const { answer, runs } = await put('refused at the commit')
    expect(answer.status).toBe(200)
    expect(runs).toBe(3)
    expect(await versionOf('refused at the commit')).toBe('1')
  })

  test.each(COMMIT_FORGOTTEN)(
    'a write that was committed is not run again for "$text" ($detail)',
    async (fault) => {
      const key = `${fault.text} ${fault.detail}`
      database.fail('apply', { ...fault, at: 'commit' })
      const { answer, runs } = await put(key)
      expect(answer.body).toMatchObject({ code: 14, message: UNKNOWN })
      expect(runs).toBe(1)
      expect(await versionOf(key)).toBe('1')
    },
  )

  test.each(COMMIT_FORGOTTEN)(
    'before the commit, "$text" ($detail) is a conflict: it is run anew',
    async (fault) => {
      const key = `before: ${fault.text} ${fault.detail}`
      database.fail('apply', { ...fault, where: WITHIN_APPLY })
      const { answer, runs } = await put(key)
      expect(answer.status).toBe(200)
      expect(runs).toBe(2)
      database.fail('range one', fault)
      expect(await versionOf(key), 'a read has no commit').toBe('1')
    },
  )

  test.each([
    ['an answer lost between its servers', COMMIT_UNANSWERED, undefined],
    ['an error of its inside', INTERNAL, undefined],
    ['a connection failure that it tells', CONNECTION, undefined],
    ['a connection lost before', 'lost before', undefined],
    ['a connection lost within a row of the answer', 'lost within', '1'],
    ['a connection lost after the commit', 'lost after', '1'],
  ] as const)('a write is never run twice after %s', async (key, fault, version) => {
    database.fail('apply', fault)
    const { answer, runs } = await put(key)
    expect(answer.body).toMatchObject({ code: 14, message: UNKNOWN })
    expect(runs).toBe(1)
    expect(await versionOf(key)).toBe(version)
  })

  test('each member of a batch is told that its outcome is unknown, and none is run again', async () => {
    const before = database.runs('apply')
    // The first goes alone; the others wait for it, and travel together.
    database.fail('apply', CONFLICT, INTERNAL, INTERNAL)
    const answers = await Promise.all(['m1', 'm2', 'm3', 'm4', 'm5'].map((key) => put(key)))
    expect(answers.filter(({ answer }) => answer.status === 200)).toEqual([])
    expect(database.runs('apply') - before).toBe(3)
  })

  test('a read that nobody inside answers is one to try again', async () => {
    database.fail('range one', INTERNAL)
    const { body } = await server.gateway.call('/v3/kv/range', { key: b64('unanswered') })
    expect(body).toMatchObject({ code: 14, message: 'etcdserver: no leader' })
  })

  test('what conflicts for ever ends with its time, and is told so', async () => {
    await server.gateway.ok('/v3/lease/grant', { ID: '9', TTL: '600' })
    database.chaos = () => CONFLICT
    const calls = [
      ['/v3/kv/put', { key: b64('never') }],
      ['/v3/kv/range', { key: b64('never') }],
      ['/v3/lease/keepalive', { ID: '9' }],
      ['/v3/auth/user/add', { name: 'nobody', password: 'p' }],
    ] as const
    const answers = await Promise.all(
      calls.map(([path, body]) => server.gateway.call(path, body, { timeoutMs: 15_000 })),
    )
    database.chaos = undefined
    for (const { body } of answers)
      expect(JSON.stringify(body)).toContain('"message":"etcdserver: request timed out"')
    expect(await versionOf('never')).toBeUndefined()
  })

  test('reads that were sent behind one which failed to be prepared are run', async () => {
    const sql = openPostgres({ connectionString: withPostgresScheme(database.url) })
    const statement: Statement = { name: 'one', text: 'select 1::int8', types: [] }
    database.fail('one', { ...CONFLICT, at: 'preparing' })
    const reads = await Promise.allSettled(Array.from({ length: 20 }, () => sql.read(statement, [])))
    const [first, ...others] = reads
    expect(first).toMatchObject({ reason: { kind: 'failed', sqlstate: '40001' } })
    for (const other of others) expect(other).toMatchObject({ value: [[1n]] })
    await sql.close()
  })

  test.each([
    ['a conflict', CONFLICT],
    ['a read restart', READ_RESTART],
  ])('a read, a lease call and a change of users are run anew after %s', async (_, fault) => {
    database.fail('range one', fault, fault)
    database.fail('lease grant', fault, fault)
    database.fail('user add', fault, fault)
    await server.gateway.put('read', 'there')
    expect(text((await server.gateway.get('read'))?.value ?? '')).toBe('there')
    await server.gateway.ok('/v3/lease/grant', { TTL: '60' })
    await server.gateway.ok('/v3/auth/user/add', { name: `user ${fault.text}`, password: 'p' })
  })
})
