import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../support/etcd.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

const ARGS = [
  ...['--cors', 'http://a.test:81,https://b.test:8443'],
  ...['--host-whitelist', '127.0.0.1,good.test,::1'],
]
const ORIGINS = [
  undefined,
  'http://a.test:81',
  'https://b.test:8443',
  'http://A.test:81',
  'https://b.test',
  'null',
  '',
]
const HOSTS = ['good.test', 'good.test:99', '[::1]:99', '[::1]', 'GOOD.test', 'evil.test', '*', 'a:1:2', '']
const REQUESTS = [
  { method: 'GET', target: '/version' },
  { method: 'GET', target: '//version' },
  { method: 'GET', target: '/none' },
  { method: 'POST', target: '/v3/kv/range', body: '{"key":"YQ=="}' },
  { method: 'POST', target: '/v3/kv/range', body: '{' },
  { method: 'OPTIONS', target: '/v3/kv/range' },
]
const COMPARED = [
  'access-control-allow-origin',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'x-content-type-options',
]

/** The status, and the headers that are about who may ask. */
function ask(
  server: GatewayServer,
  { method, target, body }: { method: string; target: string; body?: string },
  headers: Readonly<Record<string, string>>,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.gateway.url)
    const sent = request({ hostname, port, path: target, method, headers, agent: false }, (response) => {
      response.resume()
      const { statusCode } = response
      resolve([statusCode, ...COMPARED.map((name) => response.headers[name])])
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

describe.skipIf(path === '')('who may ask, by --cors and --host-whitelist', () => {
  let postgres: Postgres
  let servers: readonly [GatewayServer, GatewayServer]
  beforeAll(async () => {
    postgres = await startPostgres(18)
    const options = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
    // Whether it is ready is asked by its address, which is listed.
    servers = await Promise.all([startEtcd(path, ...ARGS), startEdgetcd({ ...options, args: ARGS })])
  })
  afterAll(async () => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
    await postgres[Symbol.asyncDispose]()
  })

  const compare = async (asked: (typeof REQUESTS)[number], headers: Readonly<Record<string, string>>) => {
    const [theirs, ours] = await Promise.all(servers.map((server) => ask(server, asked, headers)))
    expect(ours, JSON.stringify({ ...asked, headers })).toEqual(theirs)
  }

  it('each origin', async () => {
    for (const asked of REQUESTS) {
      for (const origin of ORIGINS) await compare(asked, origin === undefined ? {} : { Origin: origin })
    }
  })

  it('each host', async () => {
    for (const asked of REQUESTS) {
      for (const host of HOSTS) await compare(asked, { Host: host, Origin: 'http://a.test:81' })
    }
  })
})
