import { type IncomingMessage, request } from 'node:http'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64 } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

/** Calls may go on for five seconds; then they are told, and what doesn't end then is cut off. */
const SHUTDOWN_MS = 10_000

describe('SIGTERM', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  /** Resolves when so many of the server's statements wait for a lock. */
  async function waiting(count: number): Promise<void> {
    for (;;) {
      const { rowCount } = await postgres.query(
        `select from pg_stat_activity where application_name = 'edgetcd' and wait_event_type = 'Lock'`,
      )
      if (rowCount === count) return
    }
  }

  /** Takes a lock of a table of the store, as a statement that runs long would hold it. */
  async function lock(schema: string, table: string, mode: string): Promise<{ release(): Promise<void> }> {
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    await client.query(`begin; lock table ${schema}.${table} in ${mode} mode`)
    return { release: () => client.end() }
  }

  /** Resolves when no session of the server is left. */
  async function noSessions(): Promise<void> {
    for (;;) {
      const { rowCount } = await postgres.query(
        `select from pg_stat_activity where application_name = 'edgetcd'`,
      )
      if (rowCount === 0) return
    }
  }

  it('ends watches cleanly, answers the put that is under way, and leaves nothing running', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const watching = await openWatch(server, 'k')
    await server.gateway.put('k', 'before')
    await watching.includes(b64('before'))
    const held = await lock(schema, 'write_lock', 'exclusive')
    const put = server.gateway.put('k', 'under way')
    await waiting(1)

    server.child.signal('SIGTERM')
    expect(await watching.ended, 'the last chunk came').toBe('complete')
    expect(await server.gateway.status('/version'), 'nobody is let in any more').toBeUndefined()
    expect(server.child.running, 'it waits for the put').toBe(true)
    await held.release()
    expect(await put).toBe(3)
    expect(await server.child.exited).toBe(0)
    await noSessions()
    const { rows } = await postgres.query(`select revision from ${schema}.head`)
    expect(rows, 'what was answered is there').toEqual([{ revision: '3' }])
  })

  it('does not wait for a range that hangs in the database: its connection is cut', async () => {
    const schema = postgres.freshSchema()
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema })
    await server.gateway.put('k', 'v')
    const held = await lock(schema, 'kv', 'access exclusive')
    const range = server.gateway
      .call('/v3/kv/range', { key: b64('\0'), range_end: b64('\0') })
      .catch((error: Error) => error)
    await waiting(1)
    const signalledMs = performance.now()
    server.child.signal('SIGTERM')
    expect(await range, 'no answer is made up').toBeInstanceOf(Error)
    expect(await server.child.exited).toBe(0)
    expect(performance.now() - signalledMs).toBeLessThan(SHUTDOWN_MS)
    await held.release()
    await noSessions()
  })
})

interface OpenWatch {
  /** Resolves when all of these words have come. */
  includes(...words: string[]): Promise<void>
  /** How the answer ended: with the last chunk of its encoding, or cut off. */
  readonly ended: Promise<'complete' | 'cut off'>
}

/** Opens a watch whose request stays open, as a client's does; resolves when the server has said that it is there. */
async function openWatch({ url }: Edgetcd, key: string): Promise<OpenWatch> {
  const sent = request(new URL('/v3/watch', url), { method: 'POST', agent: false })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve)
    sent.once('error', reject)
  })
  sent.write(JSON.stringify({ create_request: { key: b64(key) } }))
  const response = await answered
  let text = ''
  let wake = () => {}
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    wake()
  })
  // Closing in the middle of the encoding is an error too, which `complete` tells.
  response.on('error', () => {})
  const ended = new Promise<'complete' | 'cut off'>((resolve) => {
    response.once('close', () => resolve(response.complete ? 'complete' : 'cut off'))
  })
  const includes = async (...words: string[]) => {
    while (!words.every((word) => text.includes(word))) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  await includes('"created":true')
  return { includes, ended }
}
