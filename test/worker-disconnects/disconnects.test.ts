import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { pollPath } from '../scale/waiters.ts'
import { statementsOf } from '../statements/sent.ts'
import type { GatewayServer } from '../support/etcd.ts'
import { b64, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { LOG_ENTRIES } from '../support/postgres-log.ts'
import { prefixRange } from '../support/watching.ts'
import { chosenWays, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'

/** In the first seconds of a wait the log is read more often than this. */
const WINDOW_MS = 700
/** So many of these it may take until it is noticed that a client is gone: still in the first seconds. */
const WINDOWS_MAX = 3

/** Does what a client does who waits; gives what makes it go away without a word. */
type Client = (gateway: GatewayServer['gateway']) => Promise<() => void>

const CLIENTS: Readonly<Record<string, Client>> = {
  'a long poll': ({ url }) => {
    const path = pollPath({ prefix: 'none/', startRevision: 1_000_000, wait: 50 })
    return send(url, `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`)
  },
  'a watch': ({ url }) => post(url, '/v3/watch', { create_request: { key: b64('none') } }),
  'a watch over WebSocket': async ({ url }) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v3/watch`)
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send(JSON.stringify({ create_request: { key: b64('none') } }))
    await new Promise((resolve) => socket.once('message', resolve))
    return () => socket.terminate()
  },
  'a wait for a lock': ({ url }) => post(url, '/v3/lock/lock', { name: b64('l') }),
}

describe.each(chosenWays(['hyperdrive', 'hyperdrive+coordinator']))('a client that is gone, %s', (way) => {
  let postgres: Postgres
  let server: GatewayServer
  beforeAll(async () => {
    // Where no driver says what a connection is of, it is the Worker's.
    const settings = { ...LOG_ENTRIES, log_statement: 'all', application_name: 'edgetcd' }
    postgres = await startPostgres(18, { settings })
    const database = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
    server = await startWorkerd({ ...database, ...WORKER_WAYS[way] })
    await server.gateway.ok('/v3/lease/grant', { ID: '7', TTL: '600' })
    await server.gateway.ok('/v3/lock/lock', { name: b64('l'), lease: '7' })
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await postgres?.[Symbol.asyncDispose]()
  })

  const statementsFor = (ms: number) => statementsOf(postgres, () => sleep(ms))

  it.each(Object.entries(CLIENTS))('is read for no more: %s', async (_, client) => {
    const goAway = await client(server.gateway)
    while ((await statementsFor(WINDOW_MS)).length === 0);
    goAway()
    let statements = await statementsFor(WINDOW_MS)
    for (let windows = 1; windows < WINDOWS_MAX && statements.length > 0; windows++) {
      statements = await statementsFor(WINDOW_MS)
    }
    expect(statements).toEqual([])
  })

  it('leaves no place in the queue of a lock', async () => {
    const queue = { ...prefixRange('l/'), count_only: true }
    await expect.poll(async () => (await server.gateway.ok('/v3/kv/range', queue)).count).toBe('1')
  })
})

async function send(url: string, text: string): Promise<() => void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.resume()
  await new Promise<void>((resolve) => socket.write(text, () => resolve()))
  return () => socket.destroy()
}

function post(url: string, path: string, body: JsonObject): Promise<() => void> {
  const text = JSON.stringify(body)
  return send(url, `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
