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
