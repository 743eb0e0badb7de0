import { expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { b64 } from '../support/gateway.ts'
import { startPostgres } from '../support/postgres.ts'

it('why the database lets nobody in is in the log of a Node server, once for many requests', async () => {
  await using postgres = await startPostgres(18)
  const schema = postgres.freshSchema()
  await postgres.query(
    `create role ${schema} login password 'a-secret'; create schema ${schema} authorization ${schema}`,
  )
  const url = new URL(postgres.url)
  url.username = schema
  url.password = 'a-secret'
  await using server = await startEdgetcd({ databaseUrl: url.href, schema })
  const { gateway, child } = server
  await gateway.put('k', 'v')
  await postgres.query(`alter role ${schema} nologin`)
  await postgres.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [schema])
  const call = (path: string) => gateway.call(path, { key: b64('k') })
  // The first statement on a connection that was open may find it lost.
  await Promise.all([call('/v3/kv/put'), call('/v3/kv/range')])
  for (const path of Array.from({ length: 20 }, () => ['/v3/kv/put', '/v3/kv/range']).flat()) {
    expect(await call(path)).toMatchObject({ status: 503, body: { message: 'etcdserver: no leader' } })
  }
  const told = child.output().match(/^.*"error":"role .* is not permitted to log in".*$/gm) ?? []
  expect(JSON.parse(told[0] ?? '')).toMatchObject({
    level: 'error',
    msg: "the database can't be reached, or doesn't let edgetcd in",
    sqlstate: '28000',
  })
  expect(told.length).toBeLessThan(3)
  expect(child.output()).not.toContain('a-secret')
})
