import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { upTo } from '../support/counter.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, Gateway, type HeaderJson } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { chosenSeed, SeededRandom } from '../support/random.ts'
import { prefixRange, watch } from '../support/watching.ts'
import {
  type Fault,
  type Refusal,
  startYugabyteDbStandIn,
  type YugabyteDbStandIn,
} from '../support/yugabytedb.ts'

const CLIENTS = 16
const DURATION_MS = 4000

const CONFLICT: Refusal = { sqlstate: '40001', text: 'could not serialize access due to concurrent update' }
const FORGOTTEN: Refusal = {
  ...CONFLICT,
  detail: 'Transaction 2b4d8d0e-0000-4000-8000-000000000000 expired or aborted by a conflict: 40001',
}
const INTERNAL: Refusal = { sqlstate: 'XX000', text: 'Timed out: Failed UpdateTransaction' }

/** What a statement may meet, each as often as its weight says. */
const FAULTS: readonly (readonly [number, Fault | undefined])[] = [
  [70, undefined],
  [6, CONFLICT],
  [4, { sqlstate: '40P01', text: 'deadlock detected' }],
  [4, { ...CONFLICT, at: 'preparing' }],
  [4, { ...CONFLICT, at: 'rollback' }],
  [2, { ...FORGOTTEN, at: 'rollback' }],
  [2, { ...FORGOTTEN, at: 'commit' }],
  [2, { ...INTERNAL, at: 'commit' }],
  [2, { ...INTERNAL, at: 'rollback' }],
  [1, { sqlstate: '08006', text: 'connection failure' }],
  [1, 'lost before'],
  [1, 'lost within'],
  [1, 'lost after'],
]

const UNKNOWN = 'etcdserver: request timed out, possibly due to connection lost'
const KNOWN = ['etcdserver: no leader', 'etcdserver: request timed out']

describe.each([
  ['READ COMMITTED', false],
  ['snapshot isolation', true],
])('two servers on a database that fails at every point, under %s', (isolation, snapshotIsolation) => {
  let postgres: Postgres
  let database: YugabyteDbStandIn
  let servers: [Edgetcd, Edgetcd]
  beforeAll(async () => {
    postgres = await startPostgres(18)
    database = await startYugabyteDbStandIn(postgres, { snapshotIsolation })
    const start = () => startEdgetcd({ databaseUrl: database.url })
    servers = [await start(), await start()]
  })
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  test('nothing is done twice, lost, or told wrongly; revisions are dense, and watches have all in order', async () => {
    const random = new SeededRandom(chosenSeed())
    const said = `seed ${random.seed}`
    const watching = await Promise.all(servers.map(({ gateway }) => watch(gateway, prefixRange('k/'))))
    await servers[0].gateway.ok('/v3/lease/grant', { ID: '7', TTL: '600' })
    database.chaos = () => random.weighted(FAULTS)

    const done = new Map<string, number>()
    const unknown = new Set<string>()
    const undone = new Set<string>()
    const deadline = Date.now() + DURATION_MS
    const work = async (client: number) => {
      const gateway = new Gateway(servers[client % 2]?.url ?? '')
      for (let n = 0; Date.now() < deadline; n++) {
        const key = `k/${client}/${n}`
        const { status, body } = await gateway.call('/v3/kv/put', { key: b64(key), value: b64(key) })
        if (status === 200) done.set(key, Number((body.header as unknown as HeaderJson).revision))
        else if (body.message === UNKNOWN) unknown.add(key)
        else {
          expect(KNOWN, said).toContain(body.message)
          undone.add(key)
        }
        const kept = await gateway.call('/v3/lease/keepalive', { ID: '7' })
        expect(JSON.stringify(kept.body), said).not.toContain('lease not found')
      }
      gateway.close()
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, client) => work(client)))
    database.chaos = undefined

    const last = await servers[1].gateway.put('k/last', '')
    done.set('k/last', last)
    for (const each of watching) await each.reached(last)
    for (const { events, ended } of watching) {
      expect(ended, said).toBeUndefined()
      expect(
        events.map(({ revision }) => revision),
        said,
      ).toEqual(upTo(last - 1, 2))
      const keys = events.map(({ key }) => key)
      expect(new Set(keys).size, `${said}: none twice`).toBe(keys.length)
      const at = new Map(events.map(({ key, revision }) => [key, revision]))
      for (const [key, revision] of done) expect(at.get(key), `${said}: ${key}`).toBe(revision)
      for (const key of undone) expect(at.has(key), `${said}: ${key}`).toBe(false)
      for (const key of keys) expect(done.has(key) || unknown.has(key), `${said}: ${key}`).toBe(true)
    }
    for (const each of watching) each.close()
    console.log(`${isolation}, ${said}: ${done.size} done, ${unknown.size} unknown, ${undone.size} not done`)
    expect(unknown.size, said).toBeGreaterThan(0)
    const kept = await servers[0].gateway.ok('/v3/lease/timetolive', { ID: '7' })
    expect(Number(kept.TTL)).toBeGreaterThan(500)
  })
})
