import { Client } from 'pg'
import { expect, test } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { startPostgres } from '../support/postgres.ts'

test('changes of users and roles that come at once are all made, through two servers, as by etcd', async () => {
  await using postgres = await startPostgres(18)
  const start = () => startEdgetcd({ databaseUrl: postgres.url })
  await using first = await start()
  await using second = await start()
  const options = { no_password: true }
  const calls = Array.from({ length: 60 }, (_, n) => {
    const { gateway } = n % 2 === 0 ? first : second
    return n % 3 === 0
      ? gateway.call('/v3/auth/user/add', { name: `user ${n}`, options })
      : gateway.call('/v3/auth/role/add', { name: `role ${n}` })
  })
  for (const { status, body } of await Promise.all(calls)) expect(status, JSON.stringify(body)).toBe(200)
})

test('whoever may not change users and roles is refused at once, though a change is being made', async () => {
  await using postgres = await startPostgres(18)
  const schema = postgres.freshSchema()
  await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
  const { gateway } = server
  const password = { name: 'root', password: 'pw' }
  await gateway.ok('/v3/auth/user/add', password)
  await gateway.ok('/v3/auth/role/add', { name: 'root' })
  await gateway.ok('/v3/auth/user/grant', { user: 'root', role: 'root' })
  await gateway.ok('/v3/auth/enable', {})
  const { token } = await gateway.ok<{ token: string }>('/v3/auth/authenticate', password)
  const holder = new Client({ connectionString: postgres.url })
  await holder.connect()
  try {
    await holder.query(`begin; lock table ${schema}.write_lock in exclusive mode`)
    const adding = fetch(`${server.url}/v3/auth/role/add`, {
      method: 'POST',
      headers: { authorization: token },
      body: '{"name":"r"}',
    })
    await expect
      .poll(async () => (await postgres.query('select from pg_locks where not granted')).rowCount)
      .toBe(1)
    expect(await gateway.call('/v3/auth/role/add', { name: 'stranger' })).toMatchObject({
      body: { message: 'etcdserver: user name is empty' },
    })
    await holder.query('commit')
    expect((await adding).status).toBe(200)
  } finally {
    await holder.end()
  }
})
