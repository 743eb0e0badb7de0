import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROUTES } from '../../src/gateway/routes.ts'
import { b64, type JsonObject } from '../support/gateway.ts'
import { Listener } from './listener.ts'
import { as, bearer, key, NOBODY, type Scene, setScene } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await setScene()
})
afterAll(() => scene[Symbol.asyncDispose]())

/** Sends bytes as they are; gives the status and the body. */
async function post(path: string, body: string | Uint8Array, token?: string) {
  const answer = await fetch(new URL(path, scene.here.url), {
    method: 'POST',
    headers: bearer(token),
    body: body as string,
    signal: AbortSignal.timeout(30_000),
  })
  return { status: answer.status, text: await answer.text() }
}

const ALL = [...ROUTES.keys()]
const A_FEW = ['/v3/kv/put', '/v3/kv/txn', '/v3/watch', '/v3/lease/keepalive', '/v3/maintenance/snapshot']

const MIB = 1024 * 1024
const nested = (depth: number, inner: string) =>
  '{"success":[{"request_txn":'.repeat(depth) + inner + '}]}'.repeat(depth)

/** Bodies that nobody should send, by what is wrong with them. */
const BODIES: Readonly<Record<string, string | Uint8Array>> = {
  'no JSON': 'etcd',
  'half of it': '{"key":"YQ==","val',
  'another kind of value': '[]',
  'no value': 'null',
  'bytes that are no text': Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d),
  'zero bytes': new Uint8Array(1000),
  protobuf: Uint8Array.of(0x0a, 0x01, 0x61, 0x12, 0x01, 0x62),
  'a million opening braces': '{"a":'.repeat(200_000),
  'a million opening brackets': `{"a":${'['.repeat(MIB)}`,
  'as deep as is allowed': `{"a":${'['.repeat(9_998)}${']'.repeat(9_998)}}`,
  'wrong types throughout':
    '{"key":{},"ID":[],"TTL":{},"name":1,"password":[],"perm":3,"compare":{},"leader":"x","create_request":1}',
  'numbers beyond all numbers': `{"limit":1e999999999,"ID":"1e999999999","revision":${'9'.repeat(400)}}`,
  'enums beyond all enums':
    '{"action":2147483647,"alarm":-2147483648,"sort_order":9,"memberID":"18446744073709551615"}',
  'the names of objects’ own':
    '{"__proto__":{"key":"YQ=="},"constructor":{"prototype":{"key":"YQ=="}},"toString":1,"hasOwnProperty":null}',
  'transactions in transactions': nested(2_000, '{}'),
  'a key of two million bytes': JSON.stringify({
    key: 'A'.repeat(2_800_000),
    name: 'x'.repeat(100),
    ID: '1',
  }),
  'five million bytes': JSON.stringify({ key: 'A'.repeat(5_000_000) }),
  'five million bytes that mean nothing': ' '.repeat(5_000_000),
}

describe('a body that nobody should send', () => {
  it.each(Object.entries(BODIES))(
    '%s: no RPC fails in a way that nobody foresaw, with or without a token',
    async (_, body) => {
      // What is large is read alike for all; a few have to stand for them.
      const paths = body.length > 100_000 ? A_FEW : ALL
      for (const token of [undefined, scene.tokenOf('alice')]) {
        for (const path of paths) {
          const { status, text } = await post(path, body, token).catch((error: unknown) => {
            if (error instanceof DOMException) throw error
            // Cut off before all of it was sent.
            return { status: 429, text: '' }
          })
          expect(text, `${path} ${status}`).not.toContain('internal error')
          expect(status, `${path} ${text.slice(0, 200)}`).not.toBe(502)
        }
      }
      expect(scene.here.child.running).toBe(true)
    },
  )

  it('what crashes etcd is refused', async () => {
    const token = scene.tokenOf('root')
    for (const body of [{ action: 9 }, { action: 9, alarm: 9 }, { action: -1 }]) {
      expect((await post('/v3/maintenance/alarm', JSON.stringify(body), token)).status).toBe(400)
    }
    // And it would at each start from then on.
    await scene.root('/v3/kv/put', { ...key('a/gone'), value: b64('1') })
    for (const ignore of ['ignore_value', 'ignore_lease']) {
      const success: JsonObject[] = [
        { request_delete_range: { ...key('a/gone'), range_end: 'AA==' } },
        { request_put: { ...key('a/gone'), [ignore]: true } },
      ]
      const { status, text } = await post('/v3/kv/txn', JSON.stringify({ success }), token)
      expect([status, text]).toEqual([400, expect.stringContaining('etcdserver: key not found')])
      const within = JSON.stringify({ failure: [], success: [{ request_txn: { success } }] })
      expect((await post('/v3/kv/txn', within, token)).status).toBe(400)
    }
    expect(await scene.root('/v3/kv/range', { ...key('a/gone'), count_only: true })).toMatchObject({
      count: '1',
    })
  })

  it('the largest transaction, from somebody without a token, holds nobody up', async () => {
    let made = 0
    const level = (depth: number): JsonObject[] =>
      Array.from({ length: 35 }, () => {
        if (depth > 0) return { request_txn: { success: level(depth - 1) } }
        const name = key(String(made++))
        return made % 2 === 0 ? { request_put: name } : { request_delete_range: name }
      })
    const body = JSON.stringify({ success: level(2) })
    const large = post('/v3/kv/txn', body)
    const waits: number[] = []
    let isDone = false
    const others = (async () => {
      while (!isDone) {
        const begun = performance.now()
        await as(scene.here.gateway, scene.tokenOf('alice'), '/v3/kv/range', key('a/x'))
        waits.push(performance.now() - begun)
      }
    })()
    const { text } = await large
    isDone = true
    await others
    expect(text).toContain(NOBODY)
    // It was ten seconds when each put was held against each delete.
    expect(Math.max(...waits)).toBeLessThan(4000)
  })

  /** Sends bodies of a size, which never end, until one is refused. */
  async function fillWith(size: number, held: Listener[]): Promise<void> {
    const before = held.length
    const isFull = () => held.slice(before).some(({ text }) => text.includes('too many requests'))
    // One by one: of many at once more are refused than find no room. In the end one of this size doesn't.
    while (!isFull()) {
      const path = held.length % 2 === 0 ? '/v3/kv/put' : '/v3/watch'
      const listener = Listener.http(scene.here.url, path, { open: true })
      listener.sendText(`{"key":"${'A'.repeat(size)}`)
      held.push(listener)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  it('bodies that never end take no room from the small ones', async () => {
    const { url, gateway } = scene.here
    const held: Listener[] = []
    try {
      const large = JSON.stringify({ ...key('a/x'), value: 'A'.repeat(200_000) })
      const status = async () =>
        (await post('/v3/kv/put', large, scene.tokenOf('alice')).catch(() => ({ status: 429 }))).status
      // Together above what a process may hold of bodies that aren't complete, as nearly as can be.
      for (const size of [3.8 * MIB, 400_000]) await fillWith(size, held)
      // Those that were refused on their way give back what they had, which may be a while later.
      await expect
        .poll(
          async () => {
            await fillWith(100_000, held)
            return await status()
          },
          { timeout: 20_000 },
        )
        .toBe(429)
      await as(gateway, scene.tokenOf('alice'), '/v3/kv/put', {
        ...key('a/x'),
        value: b64('small'.repeat(50)),
      })
      await as(gateway, scene.tokenOf('alice'), '/v3/kv/range', key('a/x'))
      const watch = Listener.http(url, '/v3/watch', {
        headers: bearer(scene.tokenOf('alice')),
        body: { create_request: key('a/x') },
      })
      await watch.until('created', 'a watch')
      watch.close()
    } finally {
      for (const listener of held) listener.close()
    }
  })
})
