import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { b64 } from '../support/gateway.ts'
import { LOG_ENTRIES } from '../support/postgres-log.ts'
import { Listener } from './listener.ts'
import { as, authenticate, bearer, key, passwordOf, type Scene, setScene, USERS } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  // Everything is logged that can be.
  const settings = { ...LOG_ENTRIES, log_statement: 'all', log_parameter_max_length: '-1' }
  scene = await setScene({ args: ['--log-level', 'debug'], postgres: { settings } })
})
afterAll(() => scene[Symbol.asyncDispose]())

/** Writes bytes on a connection of its own, and gives all that comes until the server ends it or `ms` have passed. */
function raw(bytes: string, ms = 20_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(scene.here.port, '127.0.0.1')
    let text = ''
    const timer = setTimeout(() => socket.destroy(), ms)
    socket.setEncoding('latin1')
    socket.on('data', (data: string) => {
      text += data
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
    socket.write(bytes, 'latin1')
  })
}

const statuses = (answers: string) =>
  [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
const head = (lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`
const RANGE = JSON.stringify(key('b/x'))
const SECOND = head(['POST /v3/auth/disable HTTP/1.1', 'Host: x', 'Content-Length: 2'])

describe('one request within another', () => {
  it.each([
    ['with both lengths', ['Content-Length: 6', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SECOND}{}`],
    ['with two lengths', ['Content-Length: 2', 'Content-Length: 200'], `{}${SECOND}{}`],
    ['with a list of lengths', ['Content-Length: 2, 200'], `{}${SECOND}{}`],
    ['with a length that is none', ['Content-Length: +2'], `{}${SECOND}{}`],
    ['chunked as nobody else reads it', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${SECOND}{}`],
    ['chunked and then something else', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${SECOND}{}`],
    ['with a space before the colon', ['Transfer-Encoding : chunked'], `0\r\n\r\n${SECOND}{}`],
    ['with a chunk of no length', ['Transfer-Encoding: chunked'], `x\r\n\r\n${SECOND}{}`],
    ['with a chunk of a length like 0x2', ['Transfer-Encoding: chunked'], `0x2\r\n{}\r\n0\r\n\r\n`],
    ['with a bare line feed in a header', ['A: b\nTransfer-Encoding: chunked'], `0\r\n\r\n${SECOND}{}`],
  ])('%s is refused, and nothing after it is read', async (_, lines, rest) => {
    const answers = await raw(head(['POST /v3/kv/range HTTP/1.1', 'Host: x', ...lines]) + rest)
    expect(statuses(answers)).toEqual([400])
  })

  it.each(['h2c', 'websocket', 'x'])(
    'asked to upgrade to %s, the next request is the next one',
    async (protocol) => {
      const upgrade = ['Connection: Upgrade', `Upgrade: ${protocol}`]
      const token = `Authorization: ${scene.tokenOf('alice')}`
      const first = head([
        'POST /v3/kv/range HTTP/1.1',
        'Host: x',
        ...upgrade,
        token,
        `Content-Length: ${RANGE.length}`,
      ])
      // Nobody's, though the request before it had a token.
      const second = head([
        'POST /v3/kv/range HTTP/1.1',
        'Host: x',
        `Content-Length: ${RANGE.length}`,
        'Connection: close',
      ])
      const answers = await raw(first + RANGE + second + RANGE)
      expect(statuses(answers)).toEqual([403, 400])
      expect(answers).toContain('user name is empty')
    },
  )

  it('right behind another it waits for its turn, and ends nothing', async () => {
    const first = head(['GET /version HTTP/1.1', 'Host: x'])
    const upgrade = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket']
    const last = head(['GET /health HTTP/1.1', 'Host: x', 'Connection: close'])
    for (const target of ['/version', '/v3/watch']) {
      const answers = await raw(first + head([`GET ${target} HTTP/1.1`, ...upgrade]) + first + last)
      expect(statuses(answers)[0]).toBe(200)
      expect(scene.here.child.running).toBe(true)
    }
  })

  it('a thousand requests to upgrade leave the server as it was', async () => {
    const lines = ['GET /version HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: h2c']
    const last = ['GET /version HTTP/1.1', 'Host: x', 'Connection: close']
    const answers = await raw(head(lines).repeat(1000) + head(last))
    expect(statuses(answers).filter((status) => status === 200)).toHaveLength(1001)
    expect(scene.here.child.output()).not.toContain('MaxListeners')
  })
})

describe('headers', () => {
  const ask = (...lines: string[]) =>
    raw(
      head([
        'POST /v3/kv/range HTTP/1.1',
        'Host: x',
        `Content-Length: ${RANGE.length}`,
        'Connection: close',
        ...lines,
      ]) + RANGE,
    ).then(statuses)

  it('of two tokens one counts, and never more than that', async () => {
    const [root, alice] = [scene.tokenOf('root'), scene.tokenOf('alice')]
    expect(await ask(`Authorization: ${alice}`, `Authorization: ${root}`)).toEqual([403])
    expect(await ask(`Authorization: ${alice}, ${root}`)).toEqual([401])
    expect(await ask(`Grpc-Metadata-Token: ${alice}`, `Authorization: ${root}`)).toEqual([403])
    expect(await ask(`Grpc-Metadata-Token: ${alice}`, `Grpc-Metadata-Token: ${root}`)).toEqual([401])
    expect(await ask(`Authorization: Bearer ${alice}\tx`)).toEqual([401])
  })

  it('that speak for somebody else are words', async () => {
    for (const line of [
      'Grpc-Metadata-Username: root',
      'Grpc-Metadata-X-Forwarded-User: root',
      'X-Forwarded-User: root',
      'X-Remote-User: root',
      'Grpc-Metadata-Grpcgateway-Authorization: root',
      'Cookie: token=root',
      'Forwarded: for=127.0.0.1',
      'X-Forwarded-For: 127.0.0.1',
    ]) {
      expect(await ask(line), line).toEqual([400])
    }
  })

  it('longer than 16 KiB are refused', async () => {
    expect(await ask(`Authorization: ${'x'.repeat(20_000)}`)).toEqual([431])
    expect(await ask(...Array.from({ length: 3000 }, (_, i) => `A${i}: b`))).toEqual([431])
  })
})

describe('paths', () => {
  const DISABLE = '/v3/auth/disable'
  it.each([
    ['POST', '/v3/auth%2Fdisable', {}],
    ['POST', '/v3beta/auth/disable', {}],
    ['POST', '//v3/auth/disable', {}],
    ['POST', '/v3/./auth/../auth/disable', {}],
    ['POST', '/%76%33/auth/disable', {}],
    ['POST', '/v3/auth/disable/', {}],
    ['POST', '/V3/AUTH/DISABLE', {}],
    ['POST', '/v3/auth/disable%00', {}],
    ['POST', '/v3/auth/disable;x', {}],
    ['POST', 'http://elsewhere/v3/auth/disable', {}],
    ['POST', '/keys/../v3/auth/disable', {}],
    ['POST', `/version/..%2f..${DISABLE}`, {}],
    ['GET', DISABLE, { 'X-HTTP-Method-Override': 'POST' }],
    ['PUT', DISABLE, { 'X-HTTP-Method': 'POST' }],
    [
      'GET',
      DISABLE,
      { 'X-HTTP-Method-Override': 'POST', 'Content-Type': 'application/x-www-form-urlencoded' },
    ],
    ['GET', '/version', { 'X-Original-URL': DISABLE, 'X-Rewrite-URL': DISABLE }],
    ['TRACE', DISABLE, {}],
    ['CONNECT', '127.0.0.1:1', {}],
  ])('%s %s leads nobody past the check', async (method, target, headers) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const answer = await raw(
      head([`${method} ${target} HTTP/1.1`, 'Host: x', 'Content-Length: 2', 'Connection: close', ...lines]) +
        '{}',
    )
    expect(statuses(answer)[0] ?? 0, answer).not.toBe(500)
    expect(await scene.root('/v3/auth/status', {})).toMatchObject({ enabled: true })
  })

  it('what is sent elsewhere for a clean path is sent here', async () => {
    for (const target of [
      '//elsewhere/',
      '/v3beta//elsewhere//x',
      '/v3beta/..%2F..%2F%5Celsewhere',
      '/v3beta/%0d%0aSet-Cookie:%20a=b//x',
      '/\\elsewhere//x',
      '/x//%0d%0aLocation:%20http://elsewhere/',
    ]) {
      const answer = await raw(head([`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close']))
      const location = /^location: (.*)$/im.exec(answer)?.[1]?.trim() ?? '/'
      expect(new URL(location, 'http://here').host, `${target} leads to ${location}`).toBe('here')
      expect(answer, target).not.toMatch(/^set-cookie/im)
      expect(statuses(answer)[0], target).not.toBe(500)
    }
  })
})

describe('what caches and other origins are told', () => {
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(scene.here.url + path, { headers })
  const watch = `/v3/watch?${new URLSearchParams({ key: b64('a/x'), start_revision: '1', wait: '0' })}`

  it.each([
    [watch, {}],
    [`${watch}&access_token=TOKEN`, {}],
    [watch, { token: true }],
    [`${watch}&access_token=TOKEN`, { accept: 'text/event-stream' }],
    ['/keys/a/x', { token: true }],
    ['/keys/a/x?revision=2', { token: true }],
    ['/keys/a/?prefix', { token: true }],
    ['/keys/a/x', {}],
    ['/health', {}],
    ['/metrics', {}],
  ] as [string, { token?: boolean; accept?: string }][])(
    '%s %j is kept by no cache',
    async (path, { token, accept }) => {
      const alice = scene.tokenOf('alice')
      const headers = { ...(token && bearer(alice)), ...(accept && { accept }) }
      const aborted = new AbortController()
      const answer = await fetch(scene.here.url + path.replace('TOKEN', alice), {
        headers,
        signal: aborted.signal,
      })
      expect(answer.headers.get('cache-control')).toMatch(/no-store/)
      expect(answer.headers.get('cache-control')).not.toMatch(/public|max-age/)
      aborted.abort()
    },
  )

  it('a page of another origin may read, and never with what its browser knows of the user', async () => {
    for (const answer of [
      await get('/version', { origin: 'https://elsewhere' }),
      await fetch(`${scene.here.url}/v3/kv/range`, {
        method: 'OPTIONS',
        headers: { origin: 'https://elsewhere' },
      }),
    ]) {
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    }
  })

  it('the value of a key is no page of this server’s', async () => {
    await scene.root('/v3/kv/put', { ...key('a/page'), value: b64('<script>alert(1)</script>') })
    const { headers } = await get('/keys/a/page', bearer(scene.tokenOf('alice')))
    expect(headers.get('content-type')).toBe('application/octet-stream')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toContain('sandbox')
  })
})

describe('slow clients', () => {
  const served = async () => {
    const begun = performance.now()
    await as(scene.here.gateway, scene.tokenOf('alice'), '/v3/kv/put', { ...key('a/x'), value: b64('v') })
    return performance.now() - begun
  }

  it('whose headers or bodies come by the byte hold nobody up', async () => {
    const slow = Array.from({ length: 300 }, (_, i) => {
      const socket = connect(scene.here.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(
        i % 2 === 0
          ? 'POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nA: '
          : `${head(['POST /v3/kv/put HTTP/1.1', 'Host: x', 'Content-Length: 100'])}{`,
      )
      return socket
    })
    for (let round = 0; round < 5; round++) {
      for (const socket of slow) socket.write('x')
      expect(await served()).toBeLessThan(10_000)
    }
    for (const socket of slow) socket.destroy()
  })

  it('that read nothing of what they asked for cost little, and hold nobody up', async () => {
    const { root, here } = scene
    const value = b64('x'.repeat(1024 * 1024))
    const token = scene.tokenOf('root')
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => root('/v3/kv/put', { ...key(`large/${i}`), value })),
    )
    const all = { key: 'AA==', range_end: 'AA==' }
    const before = await residentBytes()
    const readers = Array.from({ length: 24 }, (_, i) => {
      const [path, body, accept] = [
        ['/v3/watch', { create_request: { ...all, start_revision: '1' } }, '*/*'],
        ['/v3/watch', { create_request: all }, '*/*'],
        ['/v3/kv/range', all, 'application/x-ndjson'],
        ['/v3/maintenance/snapshot', {}, '*/*'],
      ][i % 4] as [string, object, string]
      return Listener.http(here.url, path, { headers: { ...bearer(token), accept }, body, paused: true })
    })
    for (let i = 0; i < 20; i++) await root('/v3/kv/put', { ...key('large/again'), value })
    expect(await served()).toBeLessThan(10_000)
    // All of it for all of them would be a gigabyte.
    expect((await residentBytes()) - before).toBeLessThan(600 * 1024 * 1024)
    for (const reader of readers) reader.close()
  })

  async function residentBytes(): Promise<number> {
    const text = await fetch(`${scene.here.url}/metrics`).then((answer) => answer.text())
    const found = /^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]
    if (found === undefined) throw new Error('no process_resident_memory_bytes')
    return Number(found)
  }
})

describe('passwords', () => {
  const tryPassword = async (name: string, password: string) => {
    const begun = performance.now()
    const { status, body } = await scene.here.gateway.call('/v3/auth/authenticate', { name, password })
    return { answer: [status, body], tookMs: performance.now() - begun }
  }

  it('a wrong one and a wrong name are told alike, in about the same time', async () => {
    const times = { known: [] as number[], unknown: [] as number[] }
    const answers: unknown[] = []
    for (let i = 0; i < 7; i++) {
      for (const [kind, name] of [
        ['known', 'alice'],
        ['unknown', `nobody-${i}`],
      ] as const) {
        const { answer, tookMs } = await tryPassword(name, 'wrong')
        answers.push(answer)
        times[kind].push(tookMs)
      }
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    const [known, unknown] = [Math.min(...times.known), Math.min(...times.unknown)]
    // Without the work for names that don't exist it would be more than ten times.
    expect(Math.max(known, unknown) / Math.min(known, unknown)).toBeLessThan(5)
  })

  it('however many are tried at once, others are served', async () => {
    const tried = Array.from({ length: 200 }, (_, i) =>
      tryPassword(i % 2 === 0 ? 'alice' : 'mallory', `wrong-${i}`),
    )
    let slowest = 0
    for (let i = 0; i < 20; i++) {
      const begun = performance.now()
      await as(scene.here.gateway, scene.tokenOf('alice'), '/v3/kv/range', key('a/x'))
      slowest = Math.max(slowest, performance.now() - begun)
    }
    expect(slowest).toBeLessThan(10_000)
    const statuses = (await Promise.all(tried)).map(({ answer }) => answer[0])
    expect(new Set(statuses)).toEqual(new Set([400, 429]))
    // And whoever knows the password comes in again.
    await authenticate(scene.here.gateway, 'alice')
  })
})

it('no password and no token is in any log', async () => {
  const { here, there, postgres, root } = scene
  const secrets = USERS.flatMap((user) => [passwordOf(user), scene.tokenOf(user)])
  const token = scene.tokenOf('alice')
  await root('/v3/auth/user/add', { name: 'logged', password: 'a-password-for-logs' })
  await root('/v3/auth/user/changepw', { name: 'logged', password: 'another-for-logs' })
  await here.gateway.call('/v3/auth/authenticate', { name: 'logged', password: 'wrong-one-for-logs' })
  await fetch(`${here.url}/v3/watch?access_token=${token}&key=!`, {
    headers: { accept: 'text/event-stream' },
  })
  await fetch(`${here.url}/v3/nowhere?access_token=${token}`, { headers: bearer(token) })
  await here.gateway.call('/v3/kv/range', { key: 1 }, { headers: bearer(token) })
  secrets.push('a-password-for-logs', 'another-for-logs', 'wrong-one-for-logs')
  const logs = { here: here.child.output(), there: there.child.output(), PostgreSQL: postgres.log() }
  expect(logs.PostgreSQL).toContain('auth_user_add')
  for (const [whose, log] of Object.entries(logs)) {
    for (const secret of secrets) {
      for (const form of [secret, b64(secret), Buffer.from(secret).toString('hex')]) {
        expect(log.includes(form), `${form} is in the log of ${whose}`).toBe(false)
      }
    }
  }
})
