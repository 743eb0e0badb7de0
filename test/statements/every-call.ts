import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GatewayServer } from '../support/etcd.ts'
import { b64, type JsonObject, type RangeAnswer } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { LOG_ENTRIES, logDuring } from '../support/postgres-log.ts'
import { KEY, NO_STATEMENT, ONE_STATEMENT } from './calls.ts'
import { statementsOf } from './sent.ts'

/** A Worker doesn't name itself to PostgreSQL: whoever doesn't is taken for edgetcd. */
const SETTINGS = { ...LOG_ENTRIES, log_statement: 'all', application_name: 'edgetcd' }

/** Checks, call by call, the statements that a server sends as PostgreSQL's own log shows them. */
export function describeEveryCall(
  title: string,
  startServer: (postgres: Postgres) => Promise<GatewayServer>,
): void {
  describe(title, () => {
    let postgres: Postgres
    let server: GatewayServer
    beforeAll(async () => {
      postgres = await startPostgres(18, { settings: SETTINGS })
      server = await startServer(postgres)
    })
    afterAll(async () => {
      await server[Symbol.asyncDispose]()
      await postgres[Symbol.asyncDispose]()
    })

    const statements = (path: string, body: JsonObject) =>
      statementsOf(postgres, () => server.gateway.call(path, body))

    /** After a change of the rights the next request learns of them. */
    const learnRights = () => server.gateway.call('/v3/kv/range', { key: KEY })

    it('the first request of a process or isolate asks who the store is', async () => {
      expect((await statements('/v3/kv/range', { key: KEY })).length).toBeLessThanOrEqual(3)
      // Each of the connections is prepared once, the one for writes too.
      await server.gateway.ok('/v3/kv/deleterange', { key: KEY })
    })

    it.each(ONE_STATEMENT)('invariant 3: %s is one', async (_, path, body) => {
      await learnRights()
      const sent = await statements(path, body)
      expect(sent, sent.join('')).toHaveLength(1)
      expect(sent[0], 'the marker that keeps a caching pooler away').toContain('/* now() */')
    })

    it.each(NO_STATEMENT)('%s is none', async (_, path, body) => {
      await learnRights()
      expect(await statements(path, body)).toEqual([])
    })

    it('all carry the marker, those of watches, hashes and compaction too', async () => {
      const entries = await logDuring(postgres, () => callTheRest(server))
      const sent = entries.filter((entry) => /^edgetcd=LOG: {2}(execute|statement)/.test(entry))
      expect(sent.length).toBeGreaterThan(5)
      expect(sent.filter((entry) => !entry.includes('/* now() */'))).toEqual([])
    })
  })
}

/** What is more than one statement, or ends when it likes: streams, hashes, a lease that ends, a compaction. */
async function callTheRest({ gateway }: GatewayServer): Promise<void> {
  const stream = gateway.stream('/v3/watch', {
    create_request: { key: KEY, start_revision: '5', prev_kv: true },
  })
  await stream.next()
  await stream.next()
  stream.close()
  await gateway.ok('/v3/maintenance/hashkv', {})
  await gateway.ok('/v3/maintenance/hash', {})
  const snapshot = gateway.stream('/v3/maintenance/snapshot', {})
  await snapshot.next()
  snapshot.close()
  await gateway.ok('/v3/lease/grant', { ID: '8', TTL: '3' })
  const { header } = await gateway.ok<RangeAnswer>('/v3/kv/put', { key: b64('leased'), lease: '8' })
  const start_revision = String(Number(header.revision) + 1)
  const ends = gateway.stream('/v3/watch', { create_request: { key: b64('leased'), start_revision } })
  await ends.next()
  await ends.next()
  ends.close()
  await gateway.ok('/v3/kv/compaction', { revision: '6', physical: true })
}
