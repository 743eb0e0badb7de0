import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { LOG_ENTRIES } from '../support/postgres-log.ts'
import { KEY, NO_STATEMENT, ONE_STATEMENT } from './calls.ts'
import { statementsOf } from './sent.ts'

const RIGHTS = { key: b64('k'), range_end: b64('l'), permType: 'READWRITE' }
const others = ([, path]: readonly [string, string, JsonObject]) => !path.startsWith('/v3/auth/')

describe('statements that leave the server while authentication is on', () => {
  let postgres: Postgres
  let server: Edgetcd
  let neighbour: Edgetcd
  const tokens = { root: '', ada: '' }

  beforeAll(async () => {
    postgres = await startPostgres(18, { settings: { ...LOG_ENTRIES, log_statement: 'all' } })
    const database = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
    server = await startEdgetcd(database)
    neighbour = await startEdgetcd(database)
    const { gateway } = server
    for (const name of ['root', 'ada']) {
      await gateway.ok('/v3/auth/user/add', { name, password: 'pw' })
      await gateway.ok('/v3/auth/role/add', { name })
      await gateway.ok('/v3/auth/user/grant', { user: name, role: name })
    }
    await gateway.ok('/v3/auth/role/grant', { name: 'ada', perm: RIGHTS })
    await gateway.ok('/v3/auth/enable', {})
    for (const name of ['root', 'ada'] as const) {
      const { token } = await gateway.ok<{ token: string }>('/v3/auth/authenticate', { name, password: 'pw' })
      tokens[name] = token
    }
    await call('root', '/v3/kv/range', { key: KEY })
    await call('root', '/v3/kv/deleterange', { key: KEY })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await neighbour[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  const call = (user: keyof typeof tokens, path: string, body: JsonObject, at = server) =>
    at.gateway.call(path, body, { headers: { Authorization: tokens[user] } })
  const statements = (user: keyof typeof tokens, path: string, body: JsonObject) =>
    statementsOf(postgres, () => call(user, path, body))

  it.each(ONE_STATEMENT.filter(others))('invariant 3: %s is one', async (_, path, body) => {
    expect(await statements('root', path, body)).toHaveLength(1)
  })

  it.each(NO_STATEMENT.filter(others))('%s is none', async (_, path, body) => {
    expect(await statements('root', path, body)).toEqual([])
  })

  it('invariant 3: the first of a user is two, then each is one', async () => {
    expect(await statements('ada', '/v3/kv/range', { key: KEY })).toHaveLength(2)
    expect(await statements('ada', '/v3/kv/range', { key: KEY })).toHaveLength(1)
    expect(await statements('ada', '/v3/kv/put', { key: KEY })).toHaveLength(1)
    expect(await statements('ada', '/v3/kv/put', { key: KEY, prev_kv: true })).toHaveLength(1)
  })

  it.each([
    ['/v3/kv/range', { key: b64('z') }],
    ['/v3/kv/put', { key: b64('z') }],
    ['/v3/maintenance/hash', {}],
  ])('being turned away from %s is one: whether the rights are still those', async (path, body) => {
    expect(await statements('ada', path, body)).toHaveLength(1)
  })

  it.each([
    ['this server', () => server],
    ['another one', () => neighbour],
  ])('invariant 3: after a change by %s the next is at most three, then each is one', async (_, at) => {
    for (const [path, body] of [
      ['/v3/kv/range', { key: KEY }],
      ['/v3/kv/put', { key: KEY }],
      ['/v3/lease/leases', {}],
    ] as const) {
      expect((await call('root', '/v3/auth/role/grant', { name: 'ada', perm: RIGHTS }, at())).status).toBe(
        200,
      )
      const sent = await statements('ada', path, body)
      expect(sent.length, sent.join('')).toBeLessThanOrEqual(3)
      expect(await statements('ada', path, body)).toHaveLength(1)
    }
  })
})
