import { expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { startPostgres } from '../support/postgres.ts'
import { LOG_ENTRIES } from '../support/postgres-log.ts'
import { statementsOf } from './sent.ts'

/** Requests for one key, in this order. */
const REQUESTS: readonly [method: string, query: string, headers: Record<string, string>, status: number][] =
  [
    ['PUT', '', {}, 201],
    ['PUT', '', { 'If-None-Match': '*' }, 412],
    ['PUT', '', { 'If-Match': '"1", "2", "3"' }, 204],
    ['PUT', '', { 'If-Match': '*', 'If-None-Match': '"1", "2"' }, 204],
    ['GET', '', {}, 200],
    ['GET', '', { 'If-None-Match': '*' }, 304],
    ['GET', '?revision=2', {}, 200],
    ['GET', '?prefix', {}, 200],
    ['DELETE', '', { 'If-Match': '"1", "2"' }, 412],
    ['DELETE', '', { 'If-Match': '*' }, 204],
    ['DELETE', '', {}, 404],
  ]

it('invariant 3: each request under /keys/ is one statement, its conditions included', async () => {
  await using postgres = await startPostgres(18, { settings: { ...LOG_ENTRIES, log_statement: 'all' } })
  await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
  // The first request of a process asks who the store is, and each of its connections is prepared once.
  await server.gateway.get('k')
  await server.gateway.ok('/v3/kv/deleterange', { key: 'aw==' })
  for (const [method, query, headers, status] of REQUESTS) {
    const body = method === 'PUT' ? { body: 'value' } : {}
    const sent = await statementsOf(postgres, async () => {
      const answer = await fetch(`${server.url}/keys/k${query}`, { method, headers, ...body })
      expect(answer.status).toBe(status)
    })
    expect(sent, `${method} ${query} ${JSON.stringify(headers)}`).toHaveLength(1)
  }
})
