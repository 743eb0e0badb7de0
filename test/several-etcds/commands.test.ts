import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import type { HeaderJson, JsonObject } from '../support/gateway.ts'
import { freePorts } from '../support/ports.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { run } from './run.ts'

const TEN = Array.from({ length: 10 }, (_, n) => `tenant-${n}`)

/** In the order of their names: several are worked on at a time. */
const schemasOf = (said: readonly JsonObject[]) => said.map(({ schema }) => String(schema)).toSorted()

describe('ten etcds in one database, from the command line', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
    // They aren't edgetcd's, however much they look like it.
    await postgres.query(`create schema foreign_one; create table foreign_one.migration (number int, name text);
      create table foreign_one.head (compact_revision int); create table foreign_one.cluster (cluster_id int);
      create schema foreign_two; create table foreign_two.kv (key bytea)`)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  async function stores(): Promise<readonly JsonObject[]> {
    const { code, said } = await run(postgres, 'stores', 'list')
    expect(code).toBe(0)
    return said[0]?.stores as readonly JsonObject[]
  }
  const names = async () => (await stores()).map(({ schema }) => schema)
  const schemas = async () =>
    (await postgres.query(`select nspname from pg_namespace where nspname !~ '^pg_'`)).rows.map(
      ({ nspname }) => nspname as string,
    )

  it('there are none until some are made, and --all has nothing to do', async () => {
    expect(await names()).toEqual([])
    expect(await run(postgres, 'migrate', '--all')).toMatchObject({ code: 0, said: [{ event: 'no stores' }] })
    expect(await names()).toEqual([])
  })

  it('migrate makes those that are named, and --all finds them', async () => {
    const made = await run(postgres, 'migrate', '--schema', TEN.join(','))
    expect(made.code).toBe(0)
    expect(made.said.map(({ event }) => event)).toEqual(TEN.map(() => 'migrated'))
    expect(schemasOf(made.said)).toEqual(TEN)
    expect(await names()).toEqual(TEN)
    await postgres.query(`delete from "tenant-3".function_set`)
    expect((await stores()).map(({ version }) => version).indexOf('older')).toBe(3)
    const { said } = await run(postgres, 'migrate', '--all')
    expect(schemasOf(said)).toEqual(TEN)
    expect((await stores())[3]).toMatchObject({ version: 'current', migration: '0001_store' })
  })

  it('compact --all compacts each by itself, and tells of each', async () => {
    const ports = await freePorts(2)
    const [first = 0, second = 0] = ports
    const served = `tenant-0=http://127.0.0.1:${first},tenant-1=http://127.0.0.1:${second}`
    await using server = await startEdgetcd({
      databaseUrl: postgres.url,
      port: first,
      args: ['--store', served],
    })
    for (let n = 0; n < 20; n++) await server.gateway.put('k', `${n}`)
    const mode = ['--auto-compaction-mode', 'revision', '--auto-compaction-retention', '5']
    const { code, said } = await run(postgres, 'compact', '--all', ...mode)
    expect(code).toBe(0)
    const revisions = Object.fromEntries(said.map(({ schema, revision }) => [schema, revision]))
    expect(revisions).toEqual(
      Object.fromEntries(TEN.map((name) => [name, name === 'tenant-0' ? '16' : null])),
    )
    expect((await stores()).slice(0, 2)).toMatchObject([
      { schema: 'tenant-0', revision: '21', keys: '1' },
      { schema: 'tenant-1', revision: '1', keys: '0' },
    ])
    const two = await run(postgres, 'compact', '--schema', 'tenant-0,tenant-1', ...mode)
    expect(two.said.map(({ revision }) => revision)).toEqual([null, null])
  })

  it('one that fails doesn’t keep the others from their turn', async () => {
    await postgres.query(`insert into "tenant-4".migration values (99, '0099_later')`)
    const { code, said } = await run(postgres, 'migrate', '--all')
    expect(code).toBe(1)
    expect(schemasOf(said.slice(0, -1))).toEqual(TEN.filter((name) => name !== 'tenant-4'))
    expect(said.at(-1)?.message).toMatch(/1 of 10 stores failed.*\ntenant-4: .*newer edgetcd/)
    expect((await stores())[4]).toMatchObject({ version: 'newer' })
    await postgres.query(`delete from "tenant-4".migration where number = 99`)
  })

  it('drop takes the name twice, and only that of a store', async () => {
    for (const words of [['tenant-1'], ['tenant-1', '--yes', 'tenant-2']]) {
      const { code, said } = await run(postgres, 'stores', 'drop', ...words)
      expect(code).toBe(2)
      expect(said[0]?.message).toContain('run it again with --yes tenant-1')
    }
    for (const name of ['foreign_one', 'foreign_two', 'public', 'tenant-11']) {
      const { code, said } = await run(postgres, 'stores', 'drop', name, '--yes', name)
      expect(code).toBe(2)
      expect(said[0]?.message).toContain(
        `no store in schema ${name}, and nothing was dropped; it holds tenant-0`,
      )
    }
    expect(await names()).toEqual(TEN)
  })

  it('drop leaves the others, and says what went', async () => {
    const dropped = await run(postgres, 'stores', 'drop', 'tenant-0', '--yes', 'tenant-0')
    expect(dropped).toMatchObject({
      code: 0,
      said: [{ event: 'dropped', schema: 'tenant-0', revision: '21', keys: '1' }],
    })
    expect(await names()).toEqual(TEN.slice(1))
    expect(await schemas()).not.toContain('tenant-0')
    expect(await schemas()).toEqual(expect.arrayContaining(['foreign_one', 'foreign_two', ...TEN.slice(1)]))
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: 'tenant-1' })
    expect(await server.gateway.put('k', 'v')).toBe(2)
  })

  it('a dropped store that is made again is another one', async () => {
    const identity = async () => {
      await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: 'tenant-2' })
      const { header } = await server.gateway.ok<{ header: HeaderJson }>('/v3/kv/range', { key: 'YQ==' })
      return header.cluster_id
    }
    const before = await identity()
    expect((await run(postgres, 'stores', 'drop', 'tenant-2', '--yes', 'tenant-2')).code).toBe(0)
    expect(await identity()).not.toBe(before)
  })

  it('drop refuses what would take something of somebody else’s along', async () => {
    await postgres.query(`create table "tenant-5".precious (n int)`)
    const inside = await run(postgres, 'stores', 'drop', 'tenant-5', '--yes', 'tenant-5')
    expect(inside.said[0]?.message).toContain('nothing was dropped')
    expect(inside.said[0]?.message).toContain('table "tenant-5".precious')
    await postgres.query(
      `create schema reports; create view reports.keys as select count(*) from "tenant-6".kv`,
    )
    const outside = await run(postgres, 'stores', 'drop', 'tenant-6', '--yes', 'tenant-6')
    expect(outside.said[0]?.message).toContain('view reports.keys depends on')
    expect(await names()).toEqual(TEN.slice(1))
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: 'tenant-6' })
    expect(await server.gateway.put('k', 'v'), 'it is whole').toBe(2)
  })

  it('drop knows its functions by their types, and a type, too, is somebody else’s', async () => {
    await postgres.query(`create function "tenant-5".apply(n int) returns int language sql as 'select n';
      create type "tenant-9".mood as enum ('fine'); drop table "tenant-5".precious`)
    for (const [name, theirs] of [
      ['tenant-5', 'function "tenant-5".apply(integer)'],
      ['tenant-9', 'type "tenant-9".mood'],
    ] as const) {
      const { code, said } = await run(postgres, 'stores', 'drop', name, '--yes', name)
      expect(code).toBe(2)
      expect(said[0]?.message).toContain(
        `nothing was dropped: something that isn't edgetcd's lies in schema ${name}`,
      )
      expect(said[0]?.message).toContain(theirs)
    }
    expect((await postgres.query(`select "tenant-5".apply(1)`)).rowCount, 'it is there').toBe(1)
    expect(await names()).toEqual(TEN.slice(1))
  })

  it('a role that owns nothing of a store can’t drop it, and nothing is lost', async () => {
    await postgres.query(`create role reader login; grant usage on schema "tenant-4" to reader;
      grant select on all tables in schema "tenant-4" to reader`)
    const asReader = { ...postgres, url: postgres.url.replace('postgres@', 'reader@') }
    const { code, said } = await run(asReader, 'stores', 'drop', 'tenant-4', '--yes', 'tenant-4')
    expect(code).toBe(1)
    expect(said[0]?.message).toContain('must be owner of')
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: 'tenant-4' })
    expect(await server.gateway.put('k', 'v')).toBe(2)
  })

  it('of two that drop a store at once one does, and neither waits for the other to be told so', async () => {
    await run(postgres, 'migrate', '--schema', 'twice')
    const drop = () => run(postgres, 'stores', 'drop', 'twice', '--yes', 'twice')
    const both = (await Promise.all([drop(), drop()])).toSorted((a, b) => Number(a.code) - Number(b.code))
    expect(both.map(({ code }) => code)).toEqual([0, 2])
    expect(both[1]?.said[0]?.message).toMatch(/no store in schema twice|dropped store twice just now/)
  })

  it('list tells of a store that is locked or broken in its own line, and of the others as ever', async () => {
    await postgres.query(
      `create table public.kept as select * from "tenant-8".head; delete from "tenant-8".head`,
    )
    const holder = new pg.Client({ connectionString: postgres.url })
    await holder.connect()
    await holder.query(`begin; lock table "tenant-3".migration, "tenant-7".kv in access exclusive mode`)
    const listed = await stores()
    await holder.end()
    expect(listed.map(({ schema }) => schema)).toEqual(TEN.slice(1))
    const problems = Object.fromEntries(listed.map(({ schema, problem }) => [schema, problem]))
    expect(problems).toMatchObject({
      'tenant-1': undefined,
      'tenant-3': expect.stringContaining('lock timeout'),
      'tenant-7': expect.stringContaining('lock timeout'),
      'tenant-8': expect.stringContaining('lacks its head'),
    })
    await postgres.query(`insert into "tenant-8".head select * from public.kept`)
  })

  it('a broken store can be dropped, too', async () => {
    await run(postgres, 'migrate', '--schema', 'broken')
    await postgres.query(`delete from broken.head; drop table broken.lease cascade`)
    const asked = await run(postgres, 'stores', 'drop', 'broken')
    expect(asked.said[0]?.message).toContain("which can't be read: the store in schema broken lacks its head")
    expect((await run(postgres, 'stores', 'drop', 'broken', '--yes', 'broken')).code).toBe(0)
    expect(await schemas()).not.toContain('broken')
  })

  it('a role sees the stores that it may read, and a schema of another owner stays when its store goes', async () => {
    await postgres.query(
      `create role tenant login; create schema lent; grant usage, create on schema lent to tenant`,
    )
    const asTenant = { ...postgres, url: postgres.url.replace('postgres@', 'tenant@') }
    expect((await run(asTenant, 'migrate', '--schema', 'lent')).code).toBe(0)
    const { said } = await run(asTenant, 'stores', 'list')
    expect(said[0]?.stores).toMatchObject([{ schema: 'lent' }])
    expect((await run(asTenant, 'stores', 'drop', 'lent', '--yes', 'lent')).code).toBe(0)
    expect(await schemas()).toContain('lent')
    expect(await names()).not.toContain('lent')
  })

  it('recover works on one store, and --store says which a command works on', async () => {
    const store = ['--store', 'tenant-7=//a.example,tenant-8=//b.example']
    const all = await run(postgres, 'migrate', ...store)
    expect(schemasOf(all.said)).toEqual(['tenant-7', 'tenant-8'])
    const { code, said } = await run(postgres, 'recover', '--bump-revision', '10', ...store)
    expect(code).toBe(2)
    expect(said[0]?.message).toContain('say which, with --schema NAME')
    await run(postgres, 'recover', '--bump-revision', '10', '--schema', 'tenant-7', ...store)
    const revisions = Object.fromEntries((await stores()).map(({ schema, revision }) => [schema, revision]))
    expect(revisions).toMatchObject({ 'tenant-7': '11', 'tenant-8': '1' })
  })
})
