import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../support/gateway.ts'
import { Listener } from './listener.ts'
import { as, authenticate, bearer, DENIED, type Scene, setScene, told } from './scene.ts'

/** Each character is a byte. */
const bytes = (text: string) => Buffer.from(text, 'latin1').toString('base64')
type Interval = readonly [key: string, end: string]
const range = ([from, to]: Interval) => ({ key: bytes(from), range_end: bytes(to) })

/** Two that touch, a single key, and one to the end of the keyspace. */
const PERMITTED: readonly Interval[] = [
  ['m', 'n'],
  ['n', 'o'],
  ['p', ''],
  ['x', '\0'],
]
const INSIDE: readonly Interval[] = [
  ...PERMITTED,
  ['m', 'o'],
  ['m', ''],
  ['mz', 'na'],
  ['n\xff\xff', ''],
  ['p', 'p\0'],
  ['x', 'y'],
  ['\xff', '\0'],
]
const OUTSIDE: readonly Interval[] = [
  ['l\xff', 'o'],
  ['l\xff', ''],
  ['m', 'o\0'],
  ['m', 'p'],
  ['m', 'x'],
  ['m', '\0'],
  ['o', ''],
  ['o', 'p'],
  ['o\xff', 'p\0'],
  ['p', 'p\0\0'],
  ['p', 'q'],
  ['p\0', ''],
  ['w\xff', '\0'],
  ['w\xff', ''],
  ['\0', '\0'],
  ['\0', 'm'],
  ['\0', ''],
]
/** Lie in the ranges above, and not among what is permitted. */
const FOREIGN_KEYS = ['l\xff', 'o', 'o\0', 'p\0', 'q', 'w\xff', '\0', 'a/x', 'b/x']

/** Every way to ask for a range, by the RPC and the body that asks. */
const READS: Readonly<Record<string, (interval: Interval) => readonly [path: string, body: JsonObject]>> = {
  range: (r) => ['/v3/kv/range', range(r)],
  'only the count': (r) => ['/v3/kv/range', { ...range(r), count_only: true }],
  'only the keys': (r) => ['/v3/kv/range', { ...range(r), keys_only: true, limit: '1' }],
  'the past': (r) => ['/v3/kv/range', { ...range(r), revision: '2' }],
  'what is compacted': (r) => ['/v3/kv/range', { ...range(r), revision: '1' }],
  'the future': (r) => ['/v3/kv/range', { ...range(r), revision: '999999' }],
  'a txn’s compare': (r) => ['/v3/kv/txn', { compare: [{ ...range(r), target: 'VALUE', value: 'AA==' }] }],
  'a txn’s read': (r) => ['/v3/kv/txn', { success: [{ request_range: range(r) }] }],
  'the branch not taken': (r) => ['/v3/kv/txn', { failure: [{ request_range: range(r) }] }],
  'a txn in a txn': (r) => {
    const inner = { compare: [{ ...range(r), target: 'VERSION' }] }
    return ['/v3/kv/txn', { failure: [{ request_txn: { success: [{ request_txn: inner }] } }] }]
  },
}
const WRITES: typeof READS = {
  delete: (r) => ['/v3/kv/deleterange', range(r)],
  'a delete that reads': (r) => ['/v3/kv/deleterange', { ...range(r), prev_kv: true }],
  'a txn’s delete': (r) => ['/v3/kv/txn', { success: [{ request_delete_range: range(r) }] }],
  'a delete not done': (r) => ['/v3/kv/txn', { failure: [{ request_delete_range: range(r) }] }],
}
/** What isn't an RPC with one answer: the request, whose first answer is looked at. */
const DOORS: Readonly<
  Record<string, (url: string, token: string, interval: Interval) => Listener | Promise<Listener>>
> = {
  watch: (url, token, r) =>
    Listener.http(url, '/v3/watch', { headers: bearer(token), body: { create_request: range(r) } }),
  'a watch of the past': (url, token, r) =>
    Listener.http(url, '/v3/watch', {
      headers: bearer(token),
      body: { create_request: { ...range(r), start_revision: '1', prev_kv: true } },
    }),
  'a WebSocket': (url, token, r) =>
    Listener.webSocket(url, '/v3/watch', bearer(token), {
      create_request: { ...range(r), start_revision: '2' },
    }),
  'a long poll': (url, token, r) =>
    Listener.http(url, '/v3/watch', {
      headers: { ...bearer(token), prefer: 'wait=0' },
      body: { create_request: { ...range(r), start_revision: '2' } },
    }),
  'a long poll by GET': (url, token, r) => {
    const query = new URLSearchParams({ ...range(r), start_revision: '2', wait: '0' })
    return Listener.http(url, `/v3/watch?${query}`, { method: 'GET', headers: bearer(token) })
  },
  'server-sent events': (url, token, r) => {
    const query = new URLSearchParams({ ...range(r), access_token: token })
    const headers = { accept: 'text/event-stream' }
    return Listener.http(url, `/v3/watch?${query}`, { method: 'GET', headers })
  },
  'a range as a stream': (url, token, r) =>
    Listener.http(url, '/v3/kv/range', {
      headers: { ...bearer(token), accept: 'application/x-ndjson' },
      body: range(r),
    }),
}

describe('a range that isn’t permitted whole', () => {
  let scene: Scene
  let token: string
  const call = async (path: string, body: JsonObject) =>
    await scene.here.gateway.call(path, body, { headers: bearer(token) })

  beforeAll(async () => {
    scene = await setScene()
    const { root, here } = scene
    await root('/v3/auth/user/add', { name: 'carol', password: 'pw' })
    await root('/v3/auth/role/add', { name: 'carol' })
    await root('/v3/auth/user/grant', { user: 'carol', role: 'carol' })
    for (const interval of PERMITTED) {
      await root('/v3/auth/role/grant', {
        name: 'carol',
        perm: { permType: 'READWRITE', ...range(interval) },
      })
    }
    token = await authenticate(here.gateway, 'carol', 'pw')
    await root('/v3/kv/compaction', { revision: '2' })
  })
  afterAll(() => scene[Symbol.asyncDispose]())

  const putForeign = async () => {
    for (const key of FOREIGN_KEYS)
      await scene.root('/v3/kv/put', { key: bytes(key), value: bytes('secret') })
  }
  const deleteForeign = async () => {
    for (const key of FOREIGN_KEYS) await scene.root('/v3/kv/deleterange', { key: bytes(key) })
  }
  const name = ([from, to]: Interval) => JSON.stringify([from, to])

  it('is refused, whatever asks for it, and the same is said whether there is something in it or not', async () => {
    for (const prepare of [putForeign, deleteForeign]) {
      await prepare()
      for (const [what, ask] of Object.entries({ ...READS, ...WRITES })) {
        for (const interval of OUTSIDE) {
          const { status, body } = await call(...ask(interval))
          expect([status, body], `${what} of ${name(interval)}`).toEqual([
            403,
            { error: DENIED, code: 7, message: DENIED },
          ])
        }
      }
    }
  })

  it('is refused at the other doors, too', async () => {
    await putForeign()
    const asked = Object.entries(DOORS).flatMap(([what, open]) =>
      OUTSIDE.map(async (interval) => {
        const listener = await open(scene.here.url, token, interval)
        await listener.until(DENIED, `${what} of ${name(interval)}`)
        listener.close()
        expect(listener.text).not.toContain(bytes('secret'))
      }),
    )
    await Promise.all(asked)
  })

  it('but what is permitted whole is not, also where two permissions touch', async () => {
    for (const [what, ask] of Object.entries({ ...READS, ...WRITES })) {
      for (const interval of INSIDE) {
        const answer = told((await call(...ask(interval))).body)
        expect(answer, `${what} of ${name(interval)}`).not.toEqual({ error: DENIED })
      }
    }
    const asked = Object.entries(DOORS).flatMap(([what, open]) =>
      INSIDE.map(async (interval) => {
        const listener = await open(scene.here.url, token, interval)
        await listener.until(/created|header|compact/, `${what} of ${name(interval)}`)
        listener.close()
      }),
    )
    await Promise.all(asked)
  })

  const key = { key: bytes('q') }
  const put = { ...key, value: bytes('v') }
  /** What asks about one key that isn't permitted. */
  const QUESTIONS: readonly (readonly [path: string, body: JsonObject])[] = [
    ['/v3/kv/put', put],
    ['/v3/kv/put', { ...key, ignore_value: true }],
    ['/v3/kv/put', { ...put, ignore_lease: true }],
    ['/v3/kv/put', { ...put, prev_kv: true }],
    ['/v3/kv/put', { ...put, lease: '4242' }],
    ['/v3/kv/put', { ...put, lease: '77' }],
    ...['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE'].flatMap((target) =>
      ['EQUAL', 'NOT_EQUAL', 'GREATER'].map((result): readonly [string, JsonObject] => [
        '/v3/kv/txn',
        { compare: [{ ...key, target, result }], success: [{ request_put: { key: bytes('m1') } }] },
      ]),
    ),
    ['/v3/kv/txn', { failure: [{ request_put: { ...key, ignore_value: true } }] }],
    [
      '/v3/kv/txn',
      { success: [{ request_put: { key: bytes('m1') } }, { request_put: { ...put, prev_kv: true } }] },
    ],
    ['/v3/election/leader', { name: key.key }],
    ['/v3/lock/unlock', key],
  ]

  it('a key that isn’t permitted is not told to exist', async () => {
    const { root } = scene
    await root('/v3/lease/grant', { ID: '77', TTL: '3600' })
    const answers: unknown[] = []
    for (const exists of [true, false]) {
      if (exists) await root('/v3/kv/put', { ...put, lease: '77' })
      else await root('/v3/kv/deleterange', key)
      const { header } = await root<{ header: JsonObject }>('/v3/kv/range', key)
      const found: unknown[] = []
      for (const [path, body] of QUESTIONS) found.push([path, body, await call(path, body)])
      for (const [method, headers] of KEY_REQUESTS) {
        const { gateway } = scene.here
        const answer = await fetch(`${gateway.url}/keys/q`, {
          method,
          headers: { ...bearer(token), ...headers },
        })
        found.push([method, headers, answer.status, await answer.text(), answer.headers.get('etag')])
      }
      answers.push(found)
      const after = await root<{ header: JsonObject }>('/v3/kv/range', key)
      expect(after.header.revision, 'nothing was written').toBe(header.revision)
    }
    expect(answers[0]).toEqual(answers[1])
    expect(JSON.stringify(answers[0]).match(/permission denied/g)).toHaveLength(
      // Each error says it twice; a lock's and an election's, too.
      2 * (QUESTIONS.length + KEY_REQUESTS.filter(([method]) => method !== 'HEAD').length),
    )
  })

  const KEY_REQUESTS: readonly (readonly [method: string, headers: Record<string, string>])[] = [
    ['GET', {}],
    ['HEAD', {}],
    ['GET', { 'if-none-match': '*' }],
    ['PUT', {}],
    ['PUT', { 'if-none-match': '*' }],
    ['PUT', { 'if-match': '"5"' }],
    ['DELETE', {}],
    ['DELETE', { 'if-match': '*' }],
  ]

  it('of a lease that holds another’s key nothing is told or done', async () => {
    const { root } = scene
    await root('/v3/lease/grant', { ID: '99', TTL: '3600' })
    await root('/v3/kv/put', { ...put, lease: '99' })
    const state = async () => [
      await root<JsonObject>('/v3/lease/timetolive', { ID: '99', keys: true }).then(({ keys }) => keys),
      (await root('/v3/kv/range', key)).kvs,
    ]
    const before = await state()
    const mine = { key: bytes('m1'), lease: '99' }
    for (const [path, body] of [
      ['/v3/lease/revoke', { ID: '99' }],
      ['/v3/kv/lease/revoke', { ID: '99' }],
      ['/v3/lease/timetolive', { ID: '99', keys: true }],
      ['/v3/lease/leases', {}],
      ['/v3/kv/put', mine],
      ['/v3/kv/txn', { success: [{ request_put: mine }] }],
      ['/v3/kv/txn', { failure: [{ request_put: mine }] }],
      ['/v3/kv/txn', { success: [{ request_txn: { failure: [{ request_put: mine }] } }] }],
    ] satisfies [string, JsonObject][]) {
      expect(told((await call(path, body)).body), `${path} ${JSON.stringify(body)}`).toEqual({
        error: DENIED,
      })
    }
    const keepAlive = Listener.http(scene.here.url, '/v3/lease/keepalive', {
      headers: bearer(token),
      body: { ID: '99' },
    })
    await keepAlive.until(DENIED, 'keepalive')
    const byKey = await fetch(`${scene.here.url}/keys/m1`, {
      method: 'PUT',
      headers: { ...bearer(token), 'edgetcd-lease': '99' },
    })
    expect(byKey.status).toBe(403)
    expect(await state()).toEqual(before)
    // Without the other's key it is anybody's.
    await root('/v3/kv/deleterange', key)
    await as(scene.here.gateway, token, '/v3/kv/put', mine)
    await as(scene.here.gateway, token, '/v3/lease/revoke', { ID: '99' })
  })
})
