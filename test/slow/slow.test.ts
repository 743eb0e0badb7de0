import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KV } from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { TestClient } from '../../src/grpc/testing/client.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18)
})
afterAll(() => postgres[Symbol.asyncDispose]())

const byRpc = (one: JsonObject, other: JsonObject) => String(one.rpc).localeCompare(String(other.rpc))

/** Keeps every write of a store waiting, as a slow commit would. */
async function holdWrites(schema: string): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  await client.query(`begin; lock table ${schema}.write_lock in exclusive mode`)
  return { release: () => client.end() }
}

/** Resolves when so many statements wait for a lock. */
async function waiting(count: number): Promise<void> {
  for (;;) {
    const { rowCount } = await postgres.query(
      `select from pg_stat_activity where application_name = 'edgetcd' and wait_event_type = 'Lock'`,
    )
    if (rowCount === count) return
  }
}

async function post({ url }: Edgetcd, path: string, body: JsonObject, headers: Record<string, string> = {}) {
  const answer = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body), headers })
  return { status: answer.status, body: (await answer.json()) as JsonObject }
}

const put = (key: string) => ({ key: b64(key), value: b64('secret-value') })
const DEADLINE = { status: 504, body: { code: 4, message: 'context deadline exceeded' } }

describe('a deadline (Grpc-Timeout)', () => {
  it('that passes while a write waits for its batch means that it is never done', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const held = await holdWrites(schema)
    const first = post(server, '/v3/kv/put', put('first'))
    await waiting(1)
    const queued = await Promise.all(
      ['a', 'b', 'c'].map((key) => post(server, '/v3/kv/put', put(key), { 'Grpc-Timeout': '200m' })),
    )
    for (const answer of queued) expect(answer).toMatchObject(DEADLINE)
    const later = post(server, '/v3/kv/put', put('later'))
    await held.release()
    expect(await first).toMatchObject({ status: 200, body: { header: { revision: '2' } } })
    expect(await later, 'nothing was done in between').toMatchObject({ body: { header: { revision: '3' } } })
    for (const key of ['a', 'b', 'c']) expect(await server.gateway.get(key), key).toBeUndefined()
  })

  it('that passes while its batch is under way ends the call; the write has happened, or not', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const held = await holdWrites(schema)
    // Long enough for the batch to be under way, and shorter than the time of any write.
    const answer = post(server, '/v3/kv/put', put('k'), { 'Grpc-Timeout': '3S' })
    await waiting(1)
    expect(await answer).toMatchObject(DEADLINE)
    await held.release()
    await expect.poll(async () => (await server.gateway.get('k'))?.mod_revision).toBe('2')
  })
})

describe('what is slow', () => {
  /** What was logged under this message. */
  const logged = ({ child }: Edgetcd, message: string) =>
    child
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as JsonObject)
      .filter(({ msg }) => msg === message)

  it('is logged with its RPC, and without keys, values or tokens', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const held = await holdWrites(schema)
    const first = post(server, '/v3/kv/put', put('secret-key'), { Authorization: 'secret-token' })
    await waiting(1)
    const others = [
      post(server, '/v3/kv/put', put('secret-key')),
      post(server, '/v3/kv/txn', { success: [{ request_put: put('secret-key') }] }),
      post(server, '/v3/kv/deleterange', put('secret-key')),
    ]
    await expect.poll(async () => pendingWrites(server)).toBe(3)
    await new Promise((resolve) => setTimeout(resolve, 400))
    await held.release()
    await Promise.all([first, ...others])
    const lock = await holdTable(schema, 'kv')
    const range = post(server, '/v3/kv/range', put('secret-key'))
    await waiting(1)
    await new Promise((resolve) => setTimeout(resolve, 150))
    await lock.release()
    await range
    const apply = { level: 'warn', statement: 'apply', rpcs: { Put: 1 }, 'expected-duration': '100ms' }
    const read = { statement: 'range one', rpcs: { Range: 1 }, took: expect.stringMatching(/^\d+\.\dms$/) }
    await expect
      .poll(() => logged(server, 'a statement took too long'))
      .toEqual(expect.arrayContaining([expect.objectContaining(apply), expect.objectContaining(read)]))
    const calls = ['Put', 'Txn', 'DeleteRange'].map((name) => `/etcdserverpb.KV/${name}`)
    await expect
      .poll(() => logged(server, 'a call took too long').map(({ rpc }) => rpc))
      .toEqual(expect.arrayContaining(calls))
    expect(server.child.output()).not.toMatch(/secret|c2VjcmV0/)
  })

  it('is what was said to be, over HTTP and gRPC', async () => {
    const schema = postgres.freshSchema()
    const args = ['--warning-apply-duration', '1h', '--warning-unary-request-duration', '10us']
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema, args })
    const held = await holdWrites(schema)
    using client = new TestClient(new URL(server.url).host)
    const answers = [
      post(server, '/v3/kv/put', put('k')),
      client.ask(KV.method.deleteRange, { key: Buffer.from('k') }),
    ]
    await waiting(1)
    await new Promise((resolve) => setTimeout(resolve, 150))
    await held.release()
    await Promise.all(answers)
    expect(logged(server, 'a statement took too long')).toEqual([])
    const tooLong = (rpc: string) => ({ rpc, 'expected-duration': '1ms' })
    await expect
      .poll(() => logged(server, 'a call took too long').toSorted(byRpc))
      .toMatchObject([tooLong('/etcdserverpb.KV/DeleteRange'), tooLong('/etcdserverpb.KV/Put')])
  })

  async function pendingWrites({ url }: Edgetcd): Promise<number> {
    const page = await (await fetch(`${url}/metrics`)).text()
    return Number(/^etcd_server_proposals_pending (\d+)$/m.exec(page)?.[1])
  }

  async function holdTable(schema: string, table: string) {
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    await client.query(`begin; lock table ${schema}.${table} in access exclusive mode`)
    return { release: () => client.end() }
  }
})
