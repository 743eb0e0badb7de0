import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, type Gateway, type JsonStream, text } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

const name = b64('m')

/** What a watch says about the keys of the lock, one by one, however many come in a message: `PUT m/1`. */
async function* eventsOf(stream: JsonStream): AsyncGenerator<string, never> {
  for (;;) {
    const line = (await stream.next()) as { result?: { events?: { type?: string; kv: { key: string } }[] } }
    for (const { type = 'PUT', kv } of line.result?.events ?? []) yield `${type} ${text(kv.key)}`
  }
}

/** Two servers on one database: what one of them does, the other's waiters must notice. */
describe('locks over whole servers', () => {
  let postgres: Postgres
  let schema: string
  let a: Edgetcd
  let b: Edgetcd
  beforeAll(async () => {
    postgres = await startPostgres(18)
    schema = postgres.freshSchema()
    a = await startEdgetcd({ databaseUrl: postgres.url, schema })
    b = await startEdgetcd({ databaseUrl: postgres.url, schema })
    for (const ID of ['1', '2', '3']) await a.gateway.ok('/v3/lease/grant', { ID, TTL: '600' })
  })
  afterAll(async () => {
    await a[Symbol.asyncDispose]()
    await b[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  const lock = (gateway: Gateway, lease: string) => gateway.call('/v3/lock/lock', { name, lease })
  const watchLock = async () => {
    const stream = a.gateway.stream('/v3/watch', { create_request: { key: b64('m/'), range_end: b64('m0') } })
    await stream.next()
    const events = eventsOf(stream)
    return { next: async () => (await events.next()).value, close: () => stream.close() }
  }

  test('a waiter is woken by what another server does, and one that went away is not in its way', async () => {
    const watch = await watchLock()
    await lock(a.gateway, '1')
    expect(await watch.next()).toBe('PUT m/1')
    const leaving = b.gateway.stream('/v3/lock/lock', { name, lease: '2' })
    expect(await watch.next()).toBe('PUT m/2')
    const waiting = lock(b.gateway, '3')
    expect(await watch.next()).toBe('PUT m/3')
    leaving.close()
    expect(await watch.next()).toBe('DELETE m/2')
    await a.gateway.ok('/v3/lock/unlock', { key: b64('m/1') })
    expect(await waiting).toMatchObject({ status: 200, body: { key: b64('m/3') } })
    await a.gateway.ok('/v3/lock/unlock', { key: b64('m/3') })
    watch.close()
  })

  test('a server that stops takes back what its waiters have put', async () => {
    await using stopping = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const watch = await watchLock()
    await lock(a.gateway, '1')
    const waiting = lock(stopping.gateway, '2')
    expect([await watch.next(), await watch.next()]).toEqual(['PUT m/1', 'PUT m/2'])
    const [answer] = await Promise.all([waiting, stopping.child.stop()])
    expect(answer).toMatchObject({ status: 503, body: { message: 'etcdserver: server stopped' } })
    expect(await watch.next()).toBe('DELETE m/2')
    await a.gateway.ok('/v3/lock/unlock', { key: b64('m/1') })
    watch.close()
  })

  test('a leader is observed through another server', async () => {
    const leaders = b.gateway.stream('/v3/election/observe', { name: b64('e') })
    const next = async () => {
      const line = (await leaders.next()) as { result: { kv: { value: string } } }
      return text(line.result.kv.value)
    }
    await a.gateway.ok('/v3/election/campaign', { name: b64('e'), lease: '1', value: b64('one') })
    expect(await next()).toBe('one')
    const second = a.gateway.call('/v3/election/campaign', { name: b64('e'), lease: '2', value: b64('two') })
    await a.gateway.ok('/v3/lease/revoke', { ID: '1' })
    expect(await second).toMatchObject({ status: 200 })
    expect(await next()).toBe('two')
    leaders.close()
  })

  test('a snapshot goes over the wire whole, and ends with its digest', async () => {
    const pieces: Buffer[] = []
    for await (const line of a.gateway.stream('/v3/maintenance/snapshot', {})) {
      const { blob } = line.result as { blob: string }
      pieces.push(Buffer.from(blob, 'base64'))
    }
    const digest = pieces.pop()
    expect(digest).toEqual(createHash('sha256').update(Buffer.concat(pieces)).digest())
    expect(pieces[0]?.subarray(0, 16).toString()).toBe('edgetcd snapshot')
  })
})
