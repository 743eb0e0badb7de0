import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pollPath } from '../scale/waiters.ts'
import type { GatewayServer } from '../support/etcd.ts'
import { b64, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { prefixRange, watch } from '../support/watching.ts'
import { startWorkerd } from '../support/workerd.ts'

const MAX = 16
const STREAMS = 4

/**
 * By Neon's HTTP each statement is one. A Hyperdrive's connection is one with all that goes over it: there a test would be long.
 */
describe(`a Worker that may make ${MAX} subrequests for a request`, () => {
  let postgres: Postgres
  let server: GatewayServer
  beforeAll(async () => {
    postgres = await startPostgres(18)
    const variables = { SUBREQUESTS_MAX: String(MAX) }
    const database = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
    server = await startWorkerd({ ...database, driver: 'neon', variables })
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await postgres?.[Symbol.asyncDispose]()
  })

  it('ends a watch cleanly before that, and who goes on misses nothing', async () => {
    const first = (await server.gateway.put('w/', 'v')) + 1
    let isWriting = true
    const writing = (async () => {
      for (let i = 0; isWriting; i++) {
        await server.gateway.put(`w/${i}`, 'v')
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
    })()
    const seen: number[] = []
    for (let streams = 0; streams < STREAMS; streams++) {
      const { lines, brokenOff } = await watchToTheEnd(server.gateway.url, 'w/', first + seen.length)
      expect(brokenOff).toBe(false)
      expect(lines.filter((line) => 'error' in line)).toEqual([])
      for (const { result } of lines as { result: { events?: { kv: { mod_revision: string } }[] } }[]) {
        for (const { kv } of result.events ?? []) seen.push(Number(kv.mod_revision))
      }
    }
    isWriting = false
    await writing
    expect(seen.length).toBeGreaterThan(STREAMS)
    expect(seen).toEqual(Array.from(seen, (_, i) => first + i))
  })

  it('ends a long poll early, empty and with where to go on', async () => {
    const startRevision = (await server.gateway.put('p/', 'v')) + 1
    const startMs = performance.now()
    const answer = await fetch(
      new URL(pollPath({ prefix: 'p/', startRevision, wait: 30 }), server.gateway.url),
    )
    expect(answer.status).toBe(200)
    expect(performance.now() - startMs).toBeLessThan(25_000)
    expect(await answer.json()).toEqual({ header: { revision: String(startRevision - 1) } })
    const next = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
    expect(next).toContain(`start_revision=${startRevision}&wait=30&cursor=1`)
    const going = fetch(new URL(next, server.gateway.url)).then((response) => response.json())
    const revision = await server.gateway.put('p/k', 'v')
    expect(await going).toMatchObject({ header: { revision: String(revision) } })
  })

  it('gives up a wait for a lock with an error that says to try again, and its place', async () => {
    const lock = (lease: string) => server.gateway.call('/v3/lock/lock', { name: b64('l'), lease })
    for (const lease of ['7', '8']) await server.gateway.ok('/v3/lease/grant', { ID: lease, TTL: '600' })
    expect((await lock('7')).status).toBe(200)
    expect(await lock('8')).toMatchObject({ status: 503, body: { code: 14 } })
    const { count } = await server.gateway.ok('/v3/kv/range', { ...prefixRange('l/'), count_only: true })
    expect(count, 'only the holder').toBe('1')
  })
})

it('a watch at the coordinator is one, however much there is to tell', async () => {
  await using postgres = await startPostgres(18)
  await using server = await startWorkerd({
    databaseUrl: postgres.url,
    schema: postgres.freshSchema(),
    coordinator: true,
    variables: { SUBREQUESTS_MAX: String(MAX) },
  })
  const watching = await watch(server.gateway, prefixRange('w/'))
  for (let i = 0; i < 3 * MAX; i++) await watching.reached(await server.gateway.put(`w/${i}`, 'v'))
  expect(watching.events).toHaveLength(3 * MAX)
  expect(watching.ended).toBeUndefined()
  watching.close()
})

/** Watches a prefix until the server ends the stream: its lines, and whether the end wasn't one. */
function watchToTheEnd(
  url: string,
  prefix: string,
  startRevision: number,
): Promise<{ lines: JsonObject[]; brokenOff: boolean }> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL('/v3/watch', url), { method: 'POST', agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('error', () => {})
      response.on('close', () => {
        const lines = body.split('\n').filter((line) => line !== '')
        resolve({ lines: lines.map((line) => JSON.parse(line)), brokenOff: !response.complete })
      })
    })
    sent.on('error', reject)
    sent.end(
      JSON.stringify({ create_request: { ...prefixRange(prefix), start_revision: String(startRevision) } }),
    )
  })
}
