import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary } from '../support/etcd.ts'
import { b64, type Gateway, type Json, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { canonical } from './canonical.ts'
import type { Pair } from './history.ts'
import { freshPair } from './judge.ts'

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

const [A, K, Z, ZERO] = ['a', 'k', 'z', '\0'].map(b64) as [string, string, string, string]
const all = { key: ZERO, range_end: ZERO }
const create = (fields: JsonObject): string => JSON.stringify({ create_request: fields })
const cancel = (fields: JsonObject): string => JSON.stringify({ cancel_request: fields })

/** Bodies of a watch, on a store with changes from 2 to 7 that is compacted at 3. */
const WATCHES: readonly string[] = [
  ...[1, 2, 3, 4, 5, 1000, -1, -9].map((start_revision) => create({ key: K, start_revision })),
  ...[false, true].map((prev_kv) => create({ ...all, start_revision: 3, prev_kv })),
  ...[['NOPUT'], ['NODELETE'], ['NODELETE', 'NOPUT'], [0, 1], ['bogus'], [7]].map((filters) =>
    create({ ...all, start_revision: 4, prev_kv: true, filters }),
  ),
  ...[K, A, Z, ''].map((range_end) => create({ key: K, range_end, start_revision: 4 })),
  ...[ZERO, A].map((range_end) => create({ range_end, start_revision: 4 })),
  ...[5, -1, -5, '9223372036854775807'].map((watch_id) => create({ key: K, watch_id })),
  create({ key: K, watch_id: 5 }) + create({ key: K, watch_id: 5 }),
  create({ key: K, watch_id: 1 }) + create({ key: K }) + create({ key: K }) + create({ key: K }),
  create({ key: K }) + cancel({ watch_id: 0 }),
  create({ key: K }) + cancel({}) + cancel({}),
  create({ key: K }) + cancel({ watch_id: 9 }),
  create({ key: K, watch_id: 3 }) + cancel({ watch_id: 3 }) + create({ key: K, watch_id: 3 }),
  create({ key: K, fragment: true, start_revision: '4' }),
  create({ key: K, startRevision: 4, prevKv: true, unknown: [1] }),
  create({ key: K, start_revision: 1 }) + create({ key: A, start_revision: 4 }),
  ...['{"nonsense"', '{"create_request":{"key":1}}', '{}', '{"create_request":null}', '\n\n \n'].map(
    (middle) => create({ key: K }) + middle + create({ key: A, start_revision: 4 }),
  ),
]

/** Both have said all that they will, unless the machine is busy; then until both have said the same. */
const QUIET_MS = 1000
const PATIENCE_MS = 20_000

const LEASE = '77'
const KEEP_ALIVES: readonly string[] = [
  ...['{"ID":"77"}', '{"ID":77}', '{"ID":"1"}', '{"ID":0}', '{"ID":"-5"}', '{"id":"77"}', '{}', ''],
  ...[
    '{"ID":"77"}{"ID":"1"}{"ID":77}',
    '{"ID":"77"}\n{"ID":"x"}',
    '{"ID":"77"}junk',
    '{"ID":"77"}null',
    'null',
    '[]',
  ],
]

async function fill(gateway: Gateway): Promise<void> {
  await gateway.put('k', '1')
  await gateway.put('k', '2')
  await gateway.put('a', 'x')
  await gateway.ok('/v3/kv/deleterange', { key: K })
  const puts = [A, Z].map((key) => ({ request_put: { key, value: b64('y') } }))
  await gateway.ok('/v3/kv/txn', { success: puts })
  await gateway.ok('/v3/kv/compaction', { revision: '3', physical: true })
  await gateway.ok('/v3/lease/grant', { ID: LEASE, TTL: '1000' })
  await gateway.ok('/v3/kv/put', { key: b64('l'), lease: LEASE })
}

/** A stream that is listened to. */
interface Listening {
  /** What came so far: the status, the messages of each watch in order, and whether it ended. */
  heard(): JsonObject
  close(): void
}

function listen(url: string, target: string, body: string): Listening {
  let raw = ''
  let head: Json = null
  let ended = false
  const sent = request(new URL(target, url), { method: 'POST', agent: false }, (response) => {
    head = [response.statusCode ?? 0, response.headers['content-type'] ?? null]
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      raw += chunk
    })
    response.on('end', () => {
      ended = true
    })
    response.on('error', () => {})
  })
  sent.on('error', () => {})
  sent.end(body)
  return {
    // Of the last line some may be on its way.
    heard: () => ({
      head,
      ended,
      messages: messagesOf(ended ? raw : raw.slice(0, raw.lastIndexOf('\n') + 1)),
    }),
    close: () => sent.destroy(),
  }
}

/**
 * Watches take turns as they like, so messages are compared watch by watch. The header of events of the past says the
 * current revision in etcd, and in edgetcd the revision through which the watch has come: a client that resumes there
 * misses nothing.
 */
function messagesOf(raw: string): Json {
  const lines = raw.split('\n').filter((line) => line !== '')
  const messages = lines.map((line) => canonical(JSON.parse(line) as Json) as JsonObject)
  const byWatch = new Map<string, Json[]>()
  for (const message of messages) {
    const result = (message.result ?? {}) as JsonObject
    const { header, ...rest } = result
    const shown = result.events === undefined ? message : { result: rest }
    const watch = String(result.watch_id ?? 0)
    byWatch.set(watch, [...(byWatch.get(watch) ?? []), shown])
  }
  return Object.fromEntries([...byWatch].sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe.skipIf('missing' in etcd)('etcd and edgetcd send the same on streams', () => {
  let postgres: Postgres
  let pair: Pair & AsyncDisposable
  beforeAll(async () => {
    postgres = await startPostgres(18)
    pair = await freshPair(path, () =>
      startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() }),
    )
    await Promise.all([fill(pair.reference.gateway), fill(pair.candidate.gateway)])
  })
  afterAll(async () => {
    await pair[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  /** Asks both, and compares what came within a second, or later where the machine is busy. */
  async function compare(target: string, body: string): Promise<void> {
    const reference = listen(pair.reference.gateway.url, target, body)
    const candidate = listen(pair.candidate.gateway.url, target, body)
    try {
      for (const deadline = Date.now() + PATIENCE_MS; ; ) {
        await sleep(QUIET_MS)
        const [wanted, heard] = [reference.heard(), candidate.heard()]
        const isComplete = wanted.head !== null && isDeepStrictEqual(heard, wanted)
        if (isComplete || Date.now() > deadline) return expect(heard).toEqual(wanted)
      }
    } finally {
      reference.close()
      candidate.close()
    }
  }

  describe.concurrent('watch', { timeout: 60_000 }, () => {
    it.for(WATCHES)('%s', (body) => compare('/v3/watch', body))
  })

  describe.concurrent('lease keep-alive', { timeout: 60_000 }, () => {
    it.for(KEEP_ALIVES)('%s', (body) => compare('/v3/lease/keepalive', body))
  })
})
