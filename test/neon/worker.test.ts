import { afterAll, beforeAll, expect, it } from 'vitest'
import type { GatewayServer } from '../support/etcd.ts'
import { b64, type Gateway, type RangeAnswer } from '../support/gateway.ts'
import { type NeonProxy, startNeonProxy } from '../support/neon-proxy.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startWorkerd } from '../support/workerd.ts'

const MEGABYTE = 1024 * 1024
const WRITE = /\.apply\(/
const UNKNOWN = {
  status: 503,
  body: { code: 14, message: 'etcdserver: request timed out, possibly due to connection lost' },
}

let postgres: Postgres
let proxy: NeonProxy
let worker: GatewayServer
let gateway: Gateway
beforeAll(async () => {
  postgres = await startPostgres(18)
  proxy = await startNeonProxy(postgres.port, { answerBytesMax: 10 * MEGABYTE })
  const database = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
  worker = await startWorkerd({ ...database, driver: 'neon', neonProxy: proxy })
  gateway = worker.gateway
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
})

const put = (key: string) => gateway.call('/v3/kv/put', { key: b64(key), value: b64('v') })
const writes = () => proxy.statements.filter((text) => WRITE.test(text)).length

// A version counts how often the key was put.
it.each([
  ['cut', '1'],
  ['silence', '1'],
  ['lost', undefined],
  ['refused', undefined],
] as const)(
  "the outcome of a write isn't known when its answer is %s, and it is sent once",
  async (fault, version) => {
    const before = writes()
    void proxy.failNext(WRITE, fault)
    expect(await put(fault)).toMatchObject(UNKNOWN)
    expect((await gateway.get(fault))?.version).toBe(version)
    expect(writes()).toBe(before + 1)
  },
)

it('reads again when an answer is lost', async () => {
  await gateway.put('again', 'v')
  void proxy.failNext(/\.kv\b/, 'cut')
  expect((await gateway.get('again'))?.version).toBe('1')
})

it('answers while there is no database, and when it is back', async () => {
  await postgres.stop('fast')
  expect(await put('stopped')).toMatchObject({ status: 503, body: { code: 14 } })
  const read = await gateway.call('/v3/kv/range', { key: b64('stopped') })
  expect(read).toMatchObject({ status: 503, body: { code: 14, message: 'etcdserver: no leader' } })
  expect(await gateway.status('/readyz')).toBe(503)
  await postgres.start()
  expect(await put('started')).toMatchObject({ status: 200 })
})

it('gives a range that is too large for HTTP', async () => {
  const value = 'x'.repeat(MEGABYTE)
  for (let i = 0; i < 16; i++) await gateway.put(`large/${i}`, value)
  const before = proxy.sessions
  const range = { key: b64('large/'), range_end: b64('large0') }
  const { kvs = [] } = await gateway.ok<RangeAnswer>('/v3/kv/range', range)
  expect(kvs).toHaveLength(16)
  const whole = b64(value)
  expect(kvs.every((kv) => kv.value === whole)).toBe(true)
  expect(proxy.sessions).toBe(before + 1)
})

it('serves many requests at a time, each write once', async () => {
  const numbers = Array.from({ length: 20 }, (_, i) => i)
  const before = writes()
  const revisions = await Promise.all(numbers.map((i) => gateway.put(`many/${i}`, 'v')))
  expect(new Set(revisions).size).toBe(20)
  expect(writes()).toBe(before + 20)
  const found = await Promise.all(numbers.map((i) => gateway.get(`many/${i}`)))
  expect(found.map((kv) => Number(kv?.mod_revision))).toEqual(revisions)
})
