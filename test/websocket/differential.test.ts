import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketClient } from '../../src/gateway/websocket/testing/client.ts'
import { canonical } from '../differential/canonical.ts'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../support/etcd.ts'
import { b64, type Gateway, type Json, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startWorkerd } from '../support/workerd.ts'
import { SCRIPTS, type Script } from './scripts.ts'

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

const K = b64('k')
const ROOT = { name: 'root', password: 'r' }

async function fill(gateway: Gateway): Promise<void> {
  await gateway.put('k', '1')
  await gateway.put('k', '2')
  await gateway.put('a', 'x')
  await gateway.ok('/v3/kv/deleterange', { key: K })
  const puts = [K, b64('z')].map((key) => ({ request_put: { key, value: b64('y') } }))
  await gateway.ok('/v3/kv/txn', { success: puts })
  await gateway.put('z', 'z')
  await gateway.ok('/v3/kv/compaction', { revision: '3', physical: true })
  for (const ID of ['77', '78']) await gateway.ok('/v3/lease/grant', { ID, TTL: '1000' })
}

/** Switches authentication on, with a root, and lets the server know it: the statements of a watch may be late. */
async function enableAuth(gateway: Gateway): Promise<void> {
  await gateway.ok('/v3/auth/user/add', ROOT)
  await gateway.ok('/v3/auth/role/add', { name: 'root' })
  await gateway.ok('/v3/auth/user/grant', { user: 'root', role: 'root' })
  await gateway.ok('/v3/auth/enable', {})
  expect((await gateway.call('/v3/kv/range', { key: K })).status).toBe(400)
}

/** What came: for each watch its messages, with the events of those of the past and present as one list. */
type Record = Map<string, Json[]>

const eventsOf = (message: JsonObject): readonly JsonObject[] => {
  const result = message.result as JsonObject | undefined
  return (result?.events ?? []) as readonly JsonObject[]
}

/**
 * Watches take turns as they like, so messages are compared watch by watch; and the past may be cut into messages in
 * any way that splits no revision, so events are compared without their messages.
 */
function record(into: Record, message: JsonObject): number {
  const result = (message.result ?? {}) as JsonObject
  const watch = String(result.watch_id ?? 0)
  const events = eventsOf(message)
  into.set(watch, [...(into.get(watch) ?? []), ...(events.length > 0 ? events : [message])])
  return Math.max(events.length, 1)
}

async function play({ gateway }: GatewayServer, script: Script): Promise<Json> {
  const headers = { Authorization: await tokenOf(gateway, 'root') }
  const token = await tokenOf(gateway, script.as)
  const url = gateway.url.replace('http', 'ws') + script.path
  const client = await WebSocketClient.open(url, { protocols: token === '' ? [] : ['Bearer', token] })
  const seen: Record = new Map()
  for (const { send = [], put, answers } of script.steps) {
    client.send(...send)
    if (put !== undefined) await gateway.call('/v3/kv/put', { key: b64(put) }, script.as ? { headers } : {})
    for (let left = answers; left > 0; ) left -= record(seen, canonical(await client.json()) as JsonObject)
  }
  if (!script.ends) client.socket.close(1000)
  for (const frame of await client.rest()) record(seen, canonical(JSON.parse(frame) as Json) as JsonObject)
  const ended = await client.closed
  return { seen: Object.fromEntries([...seen].sort()), ended: script.ends ? 'by the server' : ended }
}

async function tokenOf(gateway: Gateway, as: Script['as']): Promise<string> {
  if (as === 'a stranger') return 'nobodys.token'
  if (as !== 'root') return ''
  return String((await gateway.call('/v3/auth/authenticate', ROOT)).body.token ?? '')
}

describe.skipIf('missing' in etcd)('a client of etcd’s WebSocket sees the same', () => {
  let postgres: Postgres
  let servers: readonly [GatewayServer, GatewayServer, GatewayServer]
  beforeAll(async () => {
    postgres = await startPostgres(18)
    const fresh = () => ({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
    servers = await Promise.all([startEtcd(path), startEdgetcd(fresh()), startWorkerd(fresh())])
    await Promise.all(servers.map(({ gateway }) => fill(gateway)))
  })
  afterAll(async () => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
    await postgres[Symbol.asyncDispose]()
  })

  const compare = async (script: Script) => {
    const [reference, node, worker] = await Promise.all(servers.map((server) => play(server, script)))
    expect(node, 'on Node').toEqual(reference)
    expect(worker, 'in workerd').toEqual(reference)
  }

  it.each(SCRIPTS.filter((script) => script.as === undefined))('$name', compare)

  describe('with authentication', () => {
    beforeAll(async () => {
      await Promise.all(servers.map(({ gateway }) => enableAuth(gateway)))
    })
    it.each(SCRIPTS.filter((script) => script.as !== undefined))('$name: $as', compare)
  })
})
