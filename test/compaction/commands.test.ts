import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandSays, runCommand } from '../support/command.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64 } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { watch } from '../support/watching.ts'

const BY_REVISION = ['--auto-compaction-mode', 'revision', '--auto-compaction-retention']
const BY_PERIOD = ['--auto-compaction-retention']
const COMPACTED = 'etcdserver: mvcc: required revision has been compacted'

// Side by side: a run that compacts waits five seconds before it frees the space.
describe.concurrent('compaction by retention (invariant 8)', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  /** A server on a store with the revisions 2 to 12, all of one key. */
  async function startWithHistory(schema: string, ...args: string[]): Promise<Edgetcd> {
    const server = await startEdgetcd({ databaseUrl: postgres.url, schema, args })
    for (let revision = 2; revision <= 12; revision++) {
      expect(await server.gateway.put('k', `value of ${revision}`)).toBe(revision)
    }
    return server
  }
  const readAt = async ({ gateway }: Edgetcd, revision: number) => {
    const { body } = await gateway.call('/v3/kv/range', { key: b64('k'), revision: String(revision) })
    return body.message ?? body.count
  }
  const logRows = async (schema: string) => (await postgres.query(`select from ${schema}.log`)).rowCount

  it('edgetcd compact keeps the newest revisions, and frees what was before', async () => {
    const schema = postgres.freshSchema()
    await using server = await startWithHistory(schema)
    const compact = () => commandSays(postgres, schema, 'compact', ...BY_REVISION, '4')
    expect(await compact()).toEqual({
      event: 'compacted',
      revision: '8',
      batches: 1,
      schema,
      data: expect.stringContaining(`schema ${schema}`),
    })
    expect(await Promise.all([7, 8, 12].map((revision) => readAt(server, revision)))).toEqual([
      COMPACTED,
      '1',
      '1',
    ])
    expect(await logRows(schema), 'the newest at 8, and 9 to 12').toBe(5)
    expect(await compact(), 'once more: nothing to do').toMatchObject({
      event: 'compacted',
      revision: null,
      batches: 1,
    })
  })

  it('edgetcd compact keeps a period, which begins with the first note that is old enough', async () => {
    const schema = postgres.freshSchema()
    await using server = await startWithHistory(schema)
    const compact = () => commandSays(postgres, schema, 'compact', ...BY_PERIOD, '30m')
    expect(await compact()).toMatchObject({ revision: null })
    await server.gateway.put('k', 'written after the note')
    expect(await compact()).toMatchObject({ revision: null })
    await postgres.query(
      `update ${schema}.revision_note set noted_at = noted_at - interval '30 minutes' where revision = 12`,
    )
    expect(await compact()).toMatchObject({ revision: '12' })
    expect(await Promise.all([11, 12, 13].map((revision) => readAt(server, revision)))).toEqual([
      COMPACTED,
      '1',
      '1',
    ])
  })

  it('edgetcd compact without retention frees what clients have compacted, and moves nothing', async () => {
    const schema = postgres.freshSchema()
    await using server = await startWithHistory(schema)
    await server.gateway.ok('/v3/kv/compaction', { revision: '10' })
    expect(await commandSays(postgres, schema, 'compact')).toMatchObject({ revision: null, batches: 1 })
    expect(await logRows(schema)).toBe(3)
    expect(await readAt(server, 10)).toBe('1')
  })

  it('edgetcd compact refuses a retention that it can’t understand', async () => {
    const schema = postgres.freshSchema()
    await commandSays(postgres, schema, 'migrate')
    const { code, lines } = await runCommand(postgres, schema, 'compact', ...BY_REVISION, 'many')
    expect(code).toBe(2)
    expect(JSON.parse(lines.join())).toMatchObject({
      event: 'failed',
      message: expect.stringContaining('--auto-compaction-retention is "many"'),
    })
  })

  it('two runs at once are as good as one', async () => {
    const schema = postgres.freshSchema()
    await using server = await startWithHistory(schema)
    const compact = () => commandSays(postgres, schema, 'compact', ...BY_REVISION, '2')
    const said = await Promise.all([compact(), compact()])
    expect(said.map(({ revision }) => revision)).toContain('10')
    expect(await logRows(schema)).toBe(3)
    expect(await readAt(server, 9)).toBe(COMPACTED)
  })

  it('a server compacts by revision when it starts, and says so', async () => {
    const schema = postgres.freshSchema()
    await (await startWithHistory(schema))[Symbol.asyncDispose]()
    await using server = await startEdgetcd({
      databaseUrl: postgres.url,
      schema,
      args: [...BY_REVISION, '5', '--json'],
    })
    await compactedTo(server, 7)
    expect(await Promise.all([6, 7].map((revision) => readAt(server, revision)))).toEqual([COMPACTED, '1'])
    expect(await logRows(schema)).toBe(6)
  })

  it('a server compacts by period with its timer', async () => {
    const schema = postgres.freshSchema()
    await using server = await startWithHistory(schema, ...BY_PERIOD, '2s')
    await compactedTo(server, 12)
    expect(await readAt(server, 11)).toBe(COMPACTED)
    expect(await readAt(server, 12)).toBe('1')
  })

  it('a watch on another server, which looks only now and then, outlives a physical compaction at the head', async () => {
    const schema = postgres.freshSchema()
    await using server = await startWithHistory(schema)
    await using other = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const watching = await watch(other.gateway, { key: b64('k') })
    for (let revision = 13; revision <= 16; revision++) await server.gateway.put('k', `value of ${revision}`)
    await server.gateway.ok('/v3/kv/compaction', { revision: '16', physical: true })
    expect(await logRows(schema), 'and it is done when it is answered').toBe(1)
    await watching.reached(16)
    expect(watching.events.map(({ revision }) => revision)).toEqual([13, 14, 15, 16])
    watching.close()
  })
})

/** Resolves when the server has logged that it compacted to this revision, which it does when the space is free. */
async function compactedTo(server: Edgetcd, revision: number): Promise<void> {
  while (!server.child.output().includes(`"msg":"compacted","revision":"${revision}"`)) {
    if (!server.child.running) throw new Error(server.child.output())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
