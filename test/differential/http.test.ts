import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary } from '../support/etcd.ts'
import type { Json } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { canonical } from './canonical.ts'
import type { Pair } from './history.ts'
import { freshPair } from './judge.ts'

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

/** One HTTP request, as odd as it may be. */
interface Sent {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Response headers that a client may look at. */
const COMPARED = [
  'content-type',
  'location',
  'trailer',
  'allow',
  'x-content-type-options',
  'access-control-allow-origin',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'grpc-metadata-content-type',
  'content-encoding',
]

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']
const PATHS = [
  ...[
    '/v3/kv/range',
    '/v3/kv/put',
    '/v3/kv/deleterange',
    '/v3/kv/txn',
    '/v3/lease/leases',
    '/v3/kv/lease/leases',
  ],
  ...[
    '/v3beta/kv/range',
    '/v3beta/v3beta/kv/range',
    '/v3alpha/kv/range',
    '/v2/keys/a',
    '/kv/range',
    '/',
    '/v3',
    '/v3/',
  ],
  ...[
    '/v3/kv',
    '/v3/kv/',
    '/v3/kv/range/',
    '/v3/KV/range',
    '/v3/kv/Range',
    '/v3/kv/range:count',
    '/v3/kv/lease/grant',
  ],
  ...[
    '/v3/kv%2Frange',
    '/v3%2Fkv/range',
    '//v3/kv/range',
    '/v3//kv/range',
    '/v3/./kv/range',
    '/v3/kv/../kv/range',
  ],
  ...[
    '/v3/kv/range?key=YQ==',
    '/v3/kv/range?nosuch=1',
    '/v3/kv/range#x',
    '/v3/kv/r%61nge',
    '/v3/kv/range%20',
  ],
  ...[
    '/version',
    '/version/',
    '/version?x=1',
    '/health',
    '/health/',
    '/health?exclude=NOSPACE',
    '/livez',
    '/readyz',
  ],
  ...['/livez/', '/readyz?exclude=x', '/favicon.ico', '/v3/kv/rangestream', '/v3/maintenance/status'],
]

const BODIES = ['', '{}', '{"key":"YQ=="}', '{"key":"YQ=="', 'null', '{"key":1}', ' {"key":"YQ=="} trailing']
const HEADERS: readonly Readonly<Record<string, string>>[] = [
  { 'content-type': 'text/plain' },
  { 'content-type': 'application/x-www-form-urlencoded', 'x-http-method-override': 'GET' },
  { 'content-type': 'application/json', 'x-http-method-override': 'GET' },
  { accept: 'text/html' },
  { accept: 'application/grpc' },
  { 'accept-encoding': 'gzip' },
  { 'content-encoding': 'gzip' },
  { origin: 'http://example.org' },
  { 'grpc-timeout': '5S' },
  { 'grpc-timeout': '1n' },
  { 'grpc-timeout': 'soon' },
  { 'grpc-timeout': '5' },
  { 'grpc-timeout': '-5S' },
  { 'grpc-timeout': '99999999999S' },
  { 'grpc-metadata-x': 'v' },
  { authorization: 'nobody' },
  { authorization: 'Bearer nobody' },
  { expect: '100-continue' },
]

const REQUESTS: readonly Sent[] = [
  ...METHODS.flatMap((method) => PATHS.map((target): Sent => ({ method, path: target }))),
  ...BODIES.flatMap((body) => PATHS.map((target): Sent => ({ method: 'POST', path: target, body }))),
  ...HEADERS.flatMap((headers) =>
    ['/v3/kv/range', '/v3/kv/put', '/v3/kv/nosuch', '/version', '/health', '/nosuch'].flatMap((target) =>
      BODIES.map((body): Sent => ({ method: 'POST', path: target, headers, body })),
    ),
  ),
]

function send(url: string, sent: Sent): Promise<Json> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, method: sent.method, path: sent.path, headers: sent.headers ?? {}, agent: false },
      (response) => {
        let raw = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          raw += chunk
        })
        response.on('end', () => resolve(answerOf(sent, response, raw)))
        response.on('error', reject)
      },
    )
    outgoing.on('error', reject)
    outgoing.end(sent.body)
  })
}

function answerOf({ method }: Sent, { statusCode: status = 0, headers }: IncomingMessage, raw: string): Json {
  const kept = COMPARED.map((name): [string, Json] => [name, headers[name] ?? null])
  // Nothing has to be said of a body that isn't there.
  const framed = 'content-length' in headers ? 'length' : (headers['transfer-encoding'] ?? null)
  const framing = method === 'HEAD' ? null : framed
  return { status, headers: Object.fromEntries(kept), framing, body: bodyOf(raw) }
}

/** Versions and sizes are each server's own. */
const OWN =
  /"(version|dbSize|dbSizeInUse|leader|raftIndex|raftTerm|raftAppliedIndex|storageVersion|dbSizeQuota)":"[^"]*"/g

function bodyOf(raw: string): Json {
  const text = raw.replaceAll('\u00a0', ' ').replaceAll(OWN, '"$1":"<own>"')
  try {
    const { error, ...rest } = canonical(JSON.parse(text) as Json) as Record<string, Json>
    return error === undefined || error === rest.message ? rest : { ...rest, error }
  } catch {
    return text
  }
}

describe.skipIf('missing' in etcd)('etcd and edgetcd answer alike over HTTP', () => {
  let postgres: Postgres
  let pair: Pair & AsyncDisposable
  beforeAll(async () => {
    postgres = await startPostgres(18)
    pair = await freshPair(path, () =>
      startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() }),
    )
  })
  afterAll(async () => {
    await pair[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  it(`${REQUESTS.length} requests of every method, path, header and body`, async () => {
    const differences: string[] = []
    for (const sent of REQUESTS) {
      const [reference, candidate] = await Promise.all([
        send(pair.reference.gateway.url, sent).catch((error: Error) => error.message),
        send(pair.candidate.gateway.url, sent).catch((error: Error) => error.message),
      ])
      const [want, got] = [JSON.stringify(reference), JSON.stringify(candidate)]
      if (want !== got) differences.push(`${JSON.stringify(sent)}\n  etcd:    ${want}\n  edgetcd: ${got}`)
    }
    expect(differences.join('\n')).toBe('')
  })
})
