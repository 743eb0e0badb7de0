import { afterAll, beforeAll, expect, it } from 'vitest'
import { b64 } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { chosenWays, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'

const NO_LEADER = { code: 14, message: 'etcdserver: no leader' }
const CANT_REACH = "the database can't be reached, or doesn't let edgetcd in"

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

/** The lines of the log from the level of warnings on, without their times. */
const lines = (output: string) =>
  [...output.matchAll(/^\{"level":"(?:warn|error)".*$/gm)].map(([line]) => {
    const { ts, ...rest } = JSON.parse(line) as Record<string, unknown>
    return rest
  })

it.each(chosenWays(['hyperdrive', 'neon+coordinator']))(
  '%s: why the database lets nobody in is in the log, a few times for many requests; clients are told what etcd tells',
  async (way) => {
    const schema = postgres.freshSchema()
    await using worker = await startWorkerd({ databaseUrl: postgres.url, schema, ...WORKER_WAYS[way] })
    const { gateway } = worker
    const key = b64('k')
    const put = () => gateway.call('/v3/kv/put', { key })
    const range = () => gateway.call('/v3/kv/range', { key })
    const trigger = () => fetch(new URL('/cdn-cgi/handler/scheduled', gateway.url))
    const watch = () => gateway.call('/v3/watch', { create_request: { key } })
    await gateway.put('k', 'v')

    await postgres.query(`alter role ${schema}_worker nologin`)
    await postgres.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
      `${schema}_worker`,
    ])
    // The first statement on a connection that was open may find it lost.
    await Promise.all([put(), range()])
    const before = worker.output().length
    const answers = await Promise.all(Array.from({ length: 20 }, () => [put(), range()]).flat())
    for (const answer of answers) expect(answer).toMatchObject({ status: 503, body: NO_LEADER })
    expect((await trigger()).status).toBe(500)
    expect((await watch()).body).toMatchObject({ error: NO_LEADER })

    const refused = lines(worker.output()).filter(({ msg }) => msg === CANT_REACH)
    expect(refused[0]).toEqual({
      level: 'error',
      msg: CANT_REACH,
      error: `role "${schema}_worker" is not permitted to log in`,
      sqlstate: '28000',
    })
    // One from each isolate, and again after ten seconds.
    expect(refused.length).toBeLessThan(6)
    expect(worker.output().slice(before)).not.toMatch(/postgres(ql)?:|a long random one|nobody foresaw/)
  },
)

it('a right that the role lacks is told, and PostgreSQL says in the log which one', async () => {
  const schema = postgres.freshSchema()
  const variables = { ETCD_SHCEMA: 'x', ETCD_DATA_DIR: 'x' }
  await using worker = await startWorkerd({ databaseUrl: postgres.url, schema, variables })
  await postgres.query(`revoke select on ${schema}.kv from ${schema}_worker`)
  const answer = await worker.gateway.call('/v3/kv/range', { key: b64('k') })
  expect(answer).toMatchObject({
    status: 503,
    body: {
      code: 14,
      message:
        'etcdserver: the role that edgetcd has in the database lacks a right; grant it as docs/workers.md says',
    },
  })
  expect(lines(worker.output()), 'and once for all requests, what means nothing').toEqual([
    { level: 'warn', msg: 'unrecognized environment variable ETCD_SHCEMA' },
    { level: 'warn', msg: 'ETCD_DATA_DIR is ignored: it means nothing to a Worker' },
    {
      level: 'error',
      msg: 'the database refused a statement',
      error: 'permission denied for table kv',
      sqlstate: '42501',
    },
  ])
})

it('a setting that can’t be understood is told, and the log says which one', async () => {
  const schema = postgres.freshSchema()
  const variables = { SUBREQUESTS_MAX: 'abc' }
  const started = { path: '/version', status: 503 }
  await using worker = await startWorkerd({ databaseUrl: postgres.url, schema, variables, started })
  for (let i = 0; i < 3; i++) {
    expect(await worker.gateway.call('/v3/kv/range', { key: b64('k') })).toMatchObject({
      status: 503,
      body: { code: 14, message: 'edgetcd: this Worker is misconfigured; its log says how' },
    })
  }
  expect(lines(worker.output())).toEqual([
    {
      level: 'error',
      msg: 'this Worker is misconfigured: SUBREQUESTS_MAX must be a number from 10 on, not "abc"',
    },
  ])
})
