import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { b64, type Gateway, type JsonObject } from '../support/gateway.ts'
import { prefixRange } from '../support/watching.ts'
import { closeGrpcClients } from './grpc.ts'
import { Listener } from './listener.ts'
import { as, BAD_TOKEN, bearer, DENIED, key, NOBODY, type Scene, setScene } from './scene.ts'
import { type Mint, openMint, tokenFor } from './tokens.ts'

/** A user of a test's own, who may read and write what begins with the user's name. */
interface Victim {
  readonly name: string
  readonly token: string | undefined
}

let scene: Scene
let mint: Mint

beforeAll(async () => {
  scene = await setScene()
  mint = await openMint(scene)
})
afterAll(async () => {
  closeGrpcClients()
  await scene[Symbol.asyncDispose]()
})

const rangeOf = (name: string) => prefixRange(`${name}/`)

async function addVictim(name: string): Promise<Victim> {
  const { root, postgres, schema } = scene
  await root('/v3/auth/user/add', { name, options: { no_password: true } })
  await root('/v3/auth/role/add', { name })
  await root('/v3/auth/role/grant', { name, perm: { permType: 'READWRITE', ...rangeOf(name) } })
  await root('/v3/auth/user/grant', { user: name, role: name })
  const { rows } = await postgres.query(
    `select password_version as v from "${schema}".auth_user where name = $1`,
    [Buffer.from(name)],
  )
  return { name, token: tokenFor(mint, name, BigInt((rows[0] as { v: string }).v)) }
}

/** Puts a value that is nowhere else; gives it as it is found in answers. */
async function putSecret(name: string): Promise<{ secret: string; revision: number }> {
  const value = randomUUID()
  const put = { ...key(`${name}/k`), value: b64(value) }
  const { header } = await scene.root<{ header: { revision: string } }>('/v3/kv/put', put)
  return { secret: b64(value), revision: Number(header.revision) }
}

type Door = (url: string, victim: Victim, from: number) => Listener | Promise<Listener>

/** Every way to be told of changes, each from a revision on. */
const WATCHES: Readonly<Record<string, Door>> = {
  watch: (url, { name, token }, from) =>
    Listener.http(url, '/v3/watch', {
      headers: bearer(token),
      body: { create_request: { ...rangeOf(name), start_revision: String(from) } },
    }),
  'watch of now': (url, { name, token }) =>
    Listener.http(url, '/v3/watch', {
      headers: bearer(token),
      body: { create_request: { ...key(`${name}/k`), prev_kv: true, progress_notify: true } },
    }),
  'gRPC watch': (url, { name, token }, from) =>
    Listener.grpc(url, '/v3/watch', token, {
      create_request: { ...rangeOf(name), start_revision: String(from) },
    }),
  'WebSocket watch': (url, { name, token }, from) =>
    Listener.webSocket(url, '/v3/watch', bearer(token), {
      create_request: { ...rangeOf(name), start_revision: String(from) },
    }),
  'server-sent events': (url, { name, token }, from) => {
    const parameters = new URLSearchParams({ ...rangeOf(name), start_revision: String(from) })
    if (token !== undefined) parameters.set('access_token', token)
    const headers = { accept: 'text/event-stream' }
    return Listener.http(url, `/v3/watch?${parameters}`, { method: 'GET', headers })
  },
}

/** What waits for one thing only. */
const WAITS: Readonly<Record<string, Door>> = {
  'long poll': (url, { name, token }, from) =>
    Listener.http(url, '/v3/watch', {
      headers: { ...bearer(token), prefer: 'wait=30' },
      body: { create_request: { ...key(`${name}/k`), start_revision: String(from) } },
    }),
  'long poll by GET': (url, { name, token }, from) => {
    const parameters = new URLSearchParams({ ...key(`${name}/k`), start_revision: String(from), wait: '30' })
    return Listener.http(url, `/v3/watch?${parameters}`, { method: 'GET', headers: bearer(token) })
  },
  lock: (url, { name, token }) =>
    Listener.http(url, '/v3/lock/lock', { headers: bearer(token), body: { name: b64(`${name}/lock`) } }),
  'gRPC lock': (url, { name, token }) =>
    Listener.grpc(url, '/v3/lock/lock', token, { name: b64(`${name}/lock`) }),
  'gRPC campaign': (url, { name, token }) =>
    Listener.grpc(url, '/v3/election/campaign', token, {
      name: b64(`${name}/election`),
      value: b64('mine'),
    }),
  campaign: (url, { name, token }) =>
    Listener.http(url, '/v3/election/campaign', {
      headers: bearer(token),
      body: { name: b64(`${name}/election`), value: b64('mine') },
    }),
}

/** Holds the lock and leads the election that the victim then waits for. */
async function occupy(name: string): Promise<void> {
  const { ID } = await scene.root<{ ID: string }>('/v3/lease/grant', { TTL: '600' })
  await scene.root('/v3/lock/lock', { name: b64(`${name}/lock`), lease: ID })
  await scene.root('/v3/election/campaign', { name: b64(`${name}/election`), lease: ID, value: b64('led') })
}

/** Everything of a victim's that is open at a server, and has been seen to work. */
async function openAll(url: string, victim: Victim, gateway: Gateway): Promise<Map<string, Listener>> {
  const { name, token } = victim
  await occupy(name)
  const before = await putSecret(name)
  const opened = new Map<string, Listener>()
  for (const [what, open] of Object.entries(WATCHES)) {
    const listener = await open(url, victim, before.revision)
    opened.set(what, listener)
    await listener.until('created', what)
  }
  const seen = await putSecret(name)
  for (const [what, listener] of opened) await listener.until(seen.secret, what)
  const observe = Listener.http(url, '/v3/election/observe', {
    headers: bearer(token),
    body: { name: b64(`${name}/election`) },
  })
  await observe.until(b64('led'), 'observe')
  const { ID } = await as<{ ID: string }>(gateway, token, '/v3/lease/grant', { TTL: '600' })
  await as(gateway, token, '/v3/kv/put', { ...key(`${name}/leased`), lease: ID })
  const keepAlive = Listener.http(url, '/v3/lease/keepalive', {
    headers: bearer(token),
    body: { ID },
    open: true,
  })
  await keepAlive.until('"TTL":"600"', 'keepalive')
  const now = await putSecret(name)
  for (const [what, listener] of opened) await listener.until(now.secret, what)
  const waiting = new Map<string, Listener>()
  for (const [what, open] of Object.entries(WAITS))
    waiting.set(what, await open(url, victim, now.revision + 1))
  await untilQueued(name)
  return new Map([...opened, ...waiting, ['observe', observe], [`keepalive ${ID}`, keepAlive]])
}

/** The victim's keys stand behind root's. */
async function untilQueued(name: string): Promise<void> {
  for (const prefix of ['lock', 'election']) {
    const queue = { ...prefixRange(`${name}/${prefix}/`), count_only: true }
    while ((await scene.root('/v3/kv/range', queue)).count !== '3')
      await new Promise((r) => setTimeout(r, 10))
  }
}

type Lose = (victim: Victim) => Promise<unknown>
const WAYS: readonly (readonly [what: string, lose: Lose, told: string])[] = [
  [
    'a permission is revoked',
    ({ name }) => scene.root('/v3/auth/role/revoke', { role: name, ...rangeOf(name) }),
    DENIED,
  ],
  [
    'a permission is for writing only from now on',
    ({ name }) => scene.root('/v3/auth/role/grant', { name, perm: { permType: 'WRITE', ...rangeOf(name) } }),
    DENIED,
  ],
  [
    'a permission is for fewer keys from now on',
    async ({ name }) => {
      const perm = { permType: 'READWRITE', ...key(`${name}/`), range_end: b64(`${name}/a`) }
      await scene.root('/v3/auth/role/grant', { name, perm })
      await scene.root('/v3/auth/role/revoke', { role: name, ...rangeOf(name) })
    },
    DENIED,
  ],
  ['a role is taken away', ({ name }) => scene.root('/v3/auth/user/revoke', { name, role: name }), DENIED],
  ['a role is deleted', ({ name }) => scene.root('/v3/auth/role/delete', { role: name }), DENIED],
  ['the user is deleted', ({ name }) => scene.root('/v3/auth/user/delete', { name }), BAD_TOKEN],
  [
    'the password is changed',
    ({ name }) => scene.root('/v3/auth/user/changepw', { name, password: 'other' }),
    BAD_TOKEN,
  ],
]

/** Loses the rights at one server while everything is open at the other; nothing put after that may be seen. */
async function loseAll(victim: Victim, lose: Lose, refusal: string, mayWrite = false): Promise<void> {
  const opened = await openAll(scene.there.url, victim, scene.there.gateway)
  await lose(victim)
  const after = await putSecret(victim.name)
  for (const [what, listener] of opened) {
    if (what.startsWith('keepalive')) continue
    // An observer is told nothing but the end, as in etcd, where its watch is cancelled.
    if (what === 'observe') await listener.until(refusal, what).catch(() => listener.end(what))
    else await listener.until(refusal, what)
  }
  const [what = '', keepAlive] = [...opened].at(-1) ?? []
  keepAlive?.send({ ID: what.slice('keepalive '.length) })
  // Who may write a lease's keys may keep it alive.
  if (!mayWrite) await keepAlive?.until(refusal, what)
  const last = await putSecret(victim.name)
  for (const [what, listener] of opened) {
    for (const { secret } of [after, last]) {
      expect(listener.text.includes(secret), `${what} was told what came after`).toBe(false)
    }
    listener.close()
  }
}
describe('of what is open at one server, nothing is told any more', () => {
  it.each(WAYS.map((way, i) => [...way, i] as const))('when %s at another', async (what, lose, told, i) => {
    await loseAll(await addVictim(`w${i}`), lose, told, what.includes('for writing only'))
  })

  it('when authentication is switched on at another', async () => {
    await scene.root('/v3/auth/disable', {})
    const victim = { name: 'anonymous', token: undefined }
    const enable = async () => {
      await scene.root('/v3/auth/enable', {})
      await scene.signIn()
    }
    await loseAll(victim, enable, NOBODY)
  })
})

describe('what is read piece by piece', () => {
  const LARGE = 'x'.repeat(1024 * 1024)
  const PIECES = 32

  it.each([
    ['a snapshot', '/v3/maintenance/snapshot', {}, {}, '"remaining_bytes"'],
    [
      'a range as a stream',
      '/v3/kv/range',
      { accept: 'application/x-ndjson' },
      { ...rangeOf('large') },
      '"kvs"',
    ],
  ] as const)('%s breaks off when the rights go in the middle', async (_, path, accept, body, begun) => {
    const { root, there } = scene
    const victim = await addVictim(`large-${path.split('/').at(-1)}`)
    await root('/v3/auth/user/grant', { user: victim.name, role: 'root' })
    await Promise.all(
      Array.from({ length: PIECES }, (_, i) =>
        root('/v3/kv/put', { ...key(`large/${i}`), value: b64(LARGE) }),
      ),
    )
    const headers = { ...bearer(victim.token), ...accept }
    const listener = Listener.http(there.url, path, { headers, body, paused: true })
    // Unread, it fills what lies between the two, and no more is read of the store.
    await listener.begun
    await root('/v3/auth/user/delete', { name: victim.name })
    listener.resume()
    await listener.end(path)
    expect(listener.text).toContain(begun)
    expect(listener.text.split('\n').at(-2)).toMatch(/^\{"error":/)
    expect(listener.text.length).toBeLessThan(PIECES * LARGE.length)
  })

  it('a snapshot goes on when the rights of others change in the middle', async () => {
    const { root, there } = scene
    await Promise.all(
      Array.from({ length: PIECES }, (_, i) =>
        root('/v3/kv/put', { ...key(`large/${i}`), value: b64(LARGE) }),
      ),
    )
    const headers = bearer(scene.tokenOf('root'))
    const listener = Listener.http(there.url, '/v3/maintenance/snapshot', { headers, body: {}, paused: true })
    await listener.begun
    await root('/v3/auth/role/add', { name: 'of-others' })
    listener.resume()
    await listener.end('the snapshot')
    expect(listener.text).not.toContain('"error"')
    expect(listener.text.length).toBeGreaterThan(PIECES * LARGE.length)
  })
})

it('no event is told that was put after the right was gone, however the two race', async () => {
  const { root, here, there } = scene
  const victim = await addVictim('racer')
  const history = 300
  for (let i = 0; i < history; i++) await root('/v3/kv/put', { ...key('racer/old'), value: b64(String(i)) })
  const perm = { permType: 'READWRITE', ...rangeOf('racer') }
  let isWriting = true
  const write = async (writer: number) => {
    for (let i = 0; isWriting; i++)
      await root('/v3/kv/put', { ...key(`racer/${writer}`), value: b64(String(i)) })
  }
  const writers = [1, 2, 3].map(write)
  try {
    for (let round = 0; round < 12; round++) {
      await root('/v3/auth/role/grant', { name: 'racer', perm })
      const from = round % 2 === 0 ? {} : { start_revision: '1' }
      const watches = [here, there].map(({ url }) =>
        Listener.http(url, '/v3/watch', {
          headers: bearer(victim.token),
          body: { create_request: { ...rangeOf('racer'), ...from } },
        }),
      )
      for (const watch of watches) await watch.until('"events"', 'a watch')
      await root('/v3/auth/role/revoke', { role: 'racer', ...rangeOf('racer') })
      const { revision } = await putSecret('racer')
      for (const watch of watches) {
        await watch.until('"canceled":true', 'a watch')
        expect(newestIn(watch.text)).toBeGreaterThan(0)
        expect(newestIn(watch.text)).toBeLessThan(revision)
        watch.close()
      }
    }
  } finally {
    isWriting = false
    await Promise.all(writers)
  }
})

/** The highest mod_revision of the events in whole lines of a stream. */
function newestIn(text: string): number {
  const lines = text.split('\n').slice(0, -1)
  const events = lines.flatMap((line) => {
    const { result } = JSON.parse(line) as { result: { events?: readonly JsonObject[] } }
    return result.events ?? []
  })
  return Math.max(0, ...events.map(({ kv }) => Number((kv as JsonObject).mod_revision)))
}
