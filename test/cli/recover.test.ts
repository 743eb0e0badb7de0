import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandSays, runCommand } from '../support/command.ts'
import { startEdgetcd } from '../support/edgetcd.ts'
import { b64, type HeaderJson, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { watch } from '../support/watching.ts'

const COMPACTED = 'etcdserver: mvcc: required revision has been compacted'

describe('edgetcd recover (invariant 11)', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  it('after a restore no revision and no position from before is taken for a new one', async () => {
    const schema = postgres.freshSchema()
    const start = () => startEdgetcd({ databaseUrl: postgres.url, schema })
    const before = await start()
    await before.gateway.put('k', 'first')
    await before.gateway.put('k', 'second')
    await before.gateway.ok('/v3/lease/grant', { ID: '7', TTL: '600' })
    const { header: headerBefore } = await before.gateway.ok<{ header: HeaderJson }>(
      '/v3/maintenance/status',
      {},
    )
    await before[Symbol.asyncDispose]()

    expect(await commandSays(postgres, schema, 'recover', '--bump-revision', '1000')).toEqual({
      event: 'recovered',
      schema,
      revision: '1003',
    })

    await using server = await start()
    const { gateway } = server
    for (const revision of ['1', '3', '4', '1002']) {
      const { body } = await gateway.call('/v3/kv/range', { key: b64('k'), revision })
      expect(body.message, revision).toBe(COMPACTED)
    }
    expect(await gateway.get('k'), 'the keys stay').toMatchObject({ value: b64('second'), mod_revision: '3' })
    expect(await gateway.ok('/v3/lease/timetolive', { ID: '7' })).toMatchObject({ grantedTTL: '600' })

    const old = gateway.stream('/v3/watch', { create_request: { key: b64('k'), start_revision: '4' } })
    expect((await old.next())?.result).toMatchObject({ created: true })
    expect((await old.next())?.result).toMatchObject({ canceled: true, compact_revision: '1003' })
    old.close()

    const following = await watch(gateway, { key: b64('k'), start_revision: '1004' })
    expect(await gateway.put('k', 'third')).toBe(1004)
    await following.reached(1004)
    expect(following.events.map(({ value, revision }) => [value, revision])).toEqual([['third', 1004]])
    following.close()

    const status = await gateway.ok<{ header: HeaderJson } & JsonObject>('/v3/maintenance/status', {})
    expect(status.header.cluster_id).toBe(headerBefore.cluster_id)
    expect(Number(status.header.raft_term), 'tells clients that something happened').toBeGreaterThan(
      Number(headerBefore.raft_term),
    )
  })

  it('the store goes on from there: writes, compactions and hashes', async () => {
    const schema = postgres.freshSchema()
    await commandSays(postgres, schema, 'migrate')
    await commandSays(postgres, schema, 'recover', '--bump-revision', '10')
    expect(await commandSays(postgres, schema, 'recover', '--bump-revision', '10')).toMatchObject({
      revision: '21',
    })
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const { gateway } = server
    expect(await gateway.put('k', 'v')).toBe(22)
    expect((await gateway.call('/v3/kv/compaction', { revision: '21' })).body.message).toBe(COMPACTED)
    await gateway.ok('/v3/kv/compaction', { revision: '22', physical: true })
    expect(await gateway.ok('/v3/maintenance/hashkv', {})).toMatchObject({ compact_revision: '22' })
  })

  it.each([
    ['without a bump', [], 'recover needs --bump-revision N'],
    ['back', ['--bump-revision=-1'], 'must be a whole number above zero'],
    ['by nothing', ['--bump-revision', '0'], 'must be a whole number above zero'],
    ['by what is no number', ['--bump-revision', '1e3'], 'must be a whole number above zero'],
  ])('moves the revision only forward, never %s', async (_, words, why) => {
    const { code, lines } = await runCommand(postgres, postgres.freshSchema(), 'recover', ...words)
    expect(code).toBe(2)
    expect(lines.join('\n')).toContain(why)
  })

  it('a mistyped schema is not made, and nothing is said to be recovered', async () => {
    const mistyped = postgres.freshSchema()
    await expect(commandSays(postgres, mistyped, 'recover', '--bump-revision', '10')).rejects.toThrow()
    const { rowCount } = await postgres.query('select from pg_namespace where nspname = $1', [mistyped])
    expect(rowCount).toBe(0)
  })
})
