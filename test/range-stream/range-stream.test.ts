import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import type { GatewayServer } from '../support/etcd.ts'
import { b64, type HeaderJson, type KeyValueJson, text } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startWorkerd } from '../support/workerd.ts'

/** More than all buffers between a server and a client that doesn't read hold: 40 MB, and more in base64. */
const KEYS = 40_000
const VALUE_BYTES = 1000
const ALL = { key: 'AA==', range_end: 'AA==' }
const COMPACTED = { code: 11, message: 'etcdserver: mvcc: required revision has been compacted' }

const name = (index: number) => `k${String(index).padStart(6, '0')}`

interface Line {
  readonly result?: {
    readonly header?: HeaderJson
    readonly kvs?: readonly KeyValueJson[]
    readonly count?: string
    readonly more?: boolean
  }
  readonly error?: { readonly code: number; readonly message: string }
}

/** The keys at revisions 2 to KEYS + 1, as that many puts would have left them. */
async function fill(postgres: Postgres, schema: string): Promise<void> {
  await postgres.query(`
    insert into ${schema}.log (mod_revision, create_revision, version, lease, prev_revision, sub, prev_sub, create_sub, deleted, key, value)
    select i + 2, i + 2, 1, 0, 0, 0, 0, 0, false, convert_to('k' || lpad(i::text, 6, '0'), 'UTF8'), convert_to(repeat('v', ${VALUE_BYTES}), 'UTF8')
    from generate_series(0, ${KEYS - 1}) i`)
  await postgres.query(`
    insert into ${schema}.kv (key, create_revision, mod_revision, version, lease, sub, create_sub, value)
    select key, create_revision, mod_revision, version, lease, sub, create_sub, value from ${schema}.log`)
  await postgres.query(`update ${schema}.head set revision = ${KEYS + 1}`)
}

/** Opens a range as a stream, and leaves what comes unread. */
async function openRange(
  url: string,
  body: object,
  query = '',
  more: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const headers = { Accept: 'application/x-ndjson', ...more }
    const sent = request(
      new URL(`/v3/kv/range${query}`, url),
      { method: 'POST', headers, agent: false },
      resolve,
    )
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}

async function post(url: string, path: string, body: object, token: string): Promise<void> {
  const headers = { Authorization: token }
  const answer = await fetch(new URL(path, url), { method: 'POST', headers, body: JSON.stringify(body) })
  expect(answer.status, path).toBe(200)
}

async function readLines(response: IncomingMessage): Promise<Line[]> {
  let all = ''
  response.setEncoding('utf8')
  for await (const chunk of response) all += chunk
  return all.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
}

const SERVERS: readonly (readonly [
  string,
  (o: { databaseUrl: string; schema: string }) => Promise<GatewayServer>,
])[] = [
  ['Node', startEdgetcd],
  ['workerd', startWorkerd],
]

describe.each(SERVERS)('a range as newline-delimited JSON, on %s', (_, start) => {
  let postgres: Postgres
  let schema: string
  let server: GatewayServer
  beforeAll(async () => {
    postgres = await startPostgres(18, { settings: { log_statement: 'all' } })
    schema = postgres.freshSchema()
    server = await start({ databaseUrl: postgres.url, schema })
    await fill(postgres, schema)
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  /** How many parts of ranges the database was asked for until now. */
  const partsRead = () => postgres.log().split('part as materialized').length - 1

  it('has the header in the first line, and the count in the last', async () => {
    const end = b64(name(2500))
    const response = await openRange(server.gateway.url, { key: b64(name(0)), range_end: end })
    expect(response.headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'content-encoding': 'identity',
    })
    const lines = await readLines(response)
    const whole = await server.gateway.ok('/v3/kv/range', { key: b64(name(0)), range_end: end })
    const [first] = lines
    const kvs = lines.flatMap(({ result }) => result?.kvs ?? [])
    expect({ header: first?.result?.header, kvs, count: lines.at(-1)?.result?.count }).toEqual(whole)
    expect(lines.map(({ result }) => Object.keys(result ?? {}))).toEqual([
      ['header', 'kvs'],
      ['kvs'],
      ['kvs', 'count'],
    ])
  })

  it('knows limits, and the readable form', async () => {
    const body = { key: name(0), range_end: '\0', limit: 1001, keys_only: true }
    const lines = await readLines(await openRange(server.gateway.url, body, '?encoding=utf8'))
    const kvs = lines.flatMap(({ result }) => result?.kvs ?? [])
    expect([kvs.length, kvs.at(-1)?.key, kvs.at(-1)?.value]).toEqual([1001, name(1000), undefined])
    expect(lines.at(-1)?.result).toMatchObject({ more: true, count: String(KEYS) })
  })

  it('is refused before its first line with the status of the error', async () => {
    const response = await openRange(server.gateway.url, { ...ALL, sort_order: 'DESCEND' })
    expect(response.statusCode).toBe(501)
    const error = { code: 12, message: 'RangeStream does not support custom sort orders' }
    expect(await readLines(response)).toEqual([{ error }])
  })

  it('is read no further than its reader, and stays at its revision', async () => {
    const { gateway } = server
    const before = partsRead()
    const response = await openRange(gateway.url, ALL)
    for (let index = 1; index < KEYS; index += KEYS / 100) {
      await gateway.put(name(index), 'new')
      await gateway.ok('/v3/kv/deleterange', { key: b64(name(index + 1)) })
    }
    expect(partsRead() - before, 'while nobody reads').toBeLessThan(KEYS / 1000 / 2)
    const lines = await readLines(response)
    const kvs = lines.flatMap(({ result }) => result?.kvs ?? [])
    expect(kvs.map(({ key }) => text(key))).toEqual(Array.from({ length: KEYS }, (_, index) => name(index)))
    expect(
      kvs.every(({ version, value = '' }) => version === '1' && text(value).length === VALUE_BYTES),
    ).toBe(true)
    expect(lines.at(-1)?.result?.count).toBe(String(KEYS))
    expect(partsRead() - before, 'in the end').toBeGreaterThan(KEYS / 1000 / 2)
  })

  it('ends with an error when its revision is compacted meanwhile', async () => {
    const { gateway } = server
    const response = await openRange(gateway.url, ALL)
    const revision = await gateway.put('k', 'newer')
    await gateway.ok('/v3/kv/compaction', { revision: String(revision) })
    const lines = await readLines(response)
    expect(response.statusCode).toBe(200)
    expect(lines.at(-1)).toEqual({ error: COMPACTED })
    expect(lines.some(({ result }) => result?.count !== undefined)).toBe(false)
  })

  it('asks for the permission with every part', async () => {
    const { gateway } = server
    await gateway.ok('/v3/auth/role/add', { name: 'reader' })
    const all = { perm: { permType: 'READ', key: ALL.key, range_end: ALL.range_end } }
    await gateway.ok('/v3/auth/role/grant', { name: 'reader', ...all })
    for (const name of ['root', 'reader']) {
      await gateway.ok('/v3/auth/user/add', { name, password: 'p' })
      await gateway.ok('/v3/auth/user/grant', { user: name, role: name })
    }
    await gateway.ok('/v3/auth/enable', {})
    const signIn = (name: string) =>
      gateway.ok<{ token: string }>('/v3/auth/authenticate', { name, password: 'p' })
    const { token } = await signIn('reader')
    const refused = await readLines(await openRange(gateway.url, ALL))
    expect(refused).toEqual([{ error: { code: 3, message: 'etcdserver: user name is empty' } }])
    const complete = await readLines(await openRange(gateway.url, ALL, '', { Authorization: token }))
    expect(complete.at(-1)?.result?.count).toBeDefined()
    const response = await openRange(gateway.url, ALL, '', { Authorization: token })
    const { token: root } = await signIn('root')
    await post(gateway.url, '/v3/auth/role/revoke', { role: 'reader', ...ALL }, root)
    const lines = await readLines(response)
    expect(lines.at(-1)).toEqual({ error: { code: 7, message: 'etcdserver: permission denied' } })
  })
})
