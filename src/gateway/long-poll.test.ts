import { describe, expect, it } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import type { LongPollAnswer, LongPollRequest } from '../service/services.ts'
import { createApp } from './app.ts'
import { preferredWait } from './long-poll-query.ts'
import { fakeContext, fakeServices } from './testing/fake-services.ts'

const app = createApp()

/** Asks, and shows what the service was asked and how the client was answered. */
async function poll(target: string, answer: LongPollAnswer | EtcdError, init: RequestInit = {}) {
  let asked: LongPollRequest | undefined
  const services = fakeServices({
    longPoll: async (request) => {
      asked = request
      if (answer instanceof EtcdError) throw answer
      return answer
    },
  })
  const response = await app.fetch(new Request(new URL(target, 'http://test'), init), {
    context: fakeContext({ services }),
  })
  const link = /^<(.*)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
  return { asked, response, link, cache: response.headers.get('cache-control') }
}

const NOTHING = { revision: 7n, events: [] }
const EVENT = { revision: 7n, events: [{ kv: { key: new Uint8Array([97]), modRevision: 7n } }] }

const PARAMETERS =
  'there are key, range_end, prefix, start_revision, prev_kv, filters, encoding, wait, cursor'
const KEY_NOT_GIVEN =
  'key is not given; all keys are key=&prefix, and those that begin with app/ are key=app/&prefix&encoding=utf8'

describe('GET /v3/watch', () => {
  it('without wait is what it is in etcd', async () => {
    const { response } = await poll('/v3/watch?key=YQ', NOTHING)
    expect(response.status).toBe(501)
    const head = await poll('/v3/watch?key=YQ&wait=1', NOTHING, { method: 'HEAD' })
    expect(head.response.status).toBe(501)
  })

  it('asks for what the query says', async () => {
    const { asked } = await poll(
      '/v3/watch?key=YQ==&range_end=Yg&start_revision=5&prev_kv=true&filters=NOPUT&filters=NODELETE&wait=10',
      NOTHING,
    )
    expect(asked).toMatchObject({
      key: new Uint8Array([97]),
      rangeEnd: new Uint8Array([98]),
      startRevision: 5n,
      prevKv: true,
      filters: [0, 1],
    })
    expect(asked?.waitMs).toBeGreaterThanOrEqual(9000)
    expect(asked?.waitMs).toBeLessThanOrEqual(10_000)
  })

  it.each(['-_8', '+/8=', '+/8', '%2B%2F8%3D'])('reads the key %s in either alphabet', async (key) => {
    const { asked } = await poll(`/v3/watch?key=${key}&wait=1`, NOTHING)
    expect(asked?.key).toEqual(new Uint8Array([0xfb, 0xff]))
  })

  it('bounds the wait, and has one for those who name none', async () => {
    expect((await poll('/v3/watch?key=YQ&wait=100000', NOTHING)).asked?.waitMs).toBeLessThanOrEqual(55_000)
    expect((await poll('/v3/watch?key=YQ&wait', NOTHING)).asked?.waitMs).toBeLessThanOrEqual(30_000)
    expect((await poll('/v3/watch?key=YQ&wait=0', NOTHING)).asked?.waitMs).toBe(0)
  })

  it.each([
    ['key=!', 'invalid value for key: "!"'],
    ['range_end=a', 'invalid value for range_end: "a"'],
    ['start_revision=x', 'invalid value for start_revision: "x"'],
    ['start_revision=9223372036854775808', 'invalid value for start_revision: "9223372036854775808"'],
    ['wait=-1', 'invalid value for wait: "-1"'],
    ['wait=soon', 'invalid value for wait: "soon"'],
    ['prev_kv=1', 'invalid value for prev_kv: "1"'],
    ['cursor=-1', 'invalid value for cursor: "-1"'],
    ['key=YQ&prefix=no', 'invalid value for prefix: "no"'],
    ['key=YQ&prefix&range_end=Yg', 'prefix says where the range ends: leave out range_end'],
    ['keys=YQ', `unknown parameter "keys"; ${PARAMETERS}`],
    ['key=YQ&rangeEnd=Yg', `unknown parameter "rangeEnd"; ${PARAMETERS}`],
    ['key_base64=YQ', `unknown parameter "key_base64"; ${PARAMETERS}`],
    ['key=a&encoding=utf8&x', `unknown parameter "x"; ${PARAMETERS}, key_base64, range_end_base64`],
    ['', KEY_NOT_GIVEN],
    ['key=', KEY_NOT_GIVEN],
    ['prefix', KEY_NOT_GIVEN],
    ['range_end=AA', KEY_NOT_GIVEN],
  ])('refuses %s', async (query, message) => {
    const { response, cache, asked } = await poll(`/v3/watch?wait=1&${query}`, NOTHING)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 3, message })
    expect(cache).toBe('no-store')
    expect(asked).toBeUndefined()
  })

  it('answers with events that caches may keep, and goes on behind them', async () => {
    const { response, cache, link } = await poll(
      '/v3/watch?key=YQ%3D%3D&start_revision=5&wait=10&cursor=3',
      EVENT,
    )
    expect(await response.text()).toBe(
      '{"header":{"revision":"7"},"events":[{"kv":{"key":"YQ==","mod_revision":"7"}}]}',
    )
    expect(cache).toBe('public, max-age=3600, must-revalidate')
    expect(link).toBe('/v3/watch?key=YQ&start_revision=8&wait=10')
    expect(response.headers.get('preference-applied')).toBe('wait=10')
  })

  it('answers with nothing for a moment, and goes on at another URL', async () => {
    const first = await poll('/v3/watch?key=YQ&start_revision=8&wait=10', NOTHING)
    expect(await first.response.text()).toBe('{"header":{"revision":"7"}}')
    expect(first.cache).toBe('public, max-age=1, must-revalidate')
    expect(first.link).toBe('/v3/watch?key=YQ&start_revision=8&wait=10&cursor=1')
    const second = await poll(first.link ?? '', NOTHING)
    expect(second.link).toBe('/v3/watch?key=YQ&start_revision=8&wait=10&cursor=2')
  })

  it('keeps a position in the future', async () => {
    const { link } = await poll('/v3/watch?key=YQ&start_revision=100&wait=10', NOTHING)
    expect(link).toBe('/v3/watch?key=YQ&start_revision=100&wait=10&cursor=1')
  })

  it('is kept by nobody without a position, and gives one', async () => {
    for (const answer of [NOTHING, EVENT]) {
      const { cache, link } = await poll('/v3/watch?key=YQ&wait=10', answer)
      expect(cache).toBe('no-store')
      expect(link).toBe('/v3/watch?key=YQ&start_revision=8&wait=10')
    }
  })

  it('names the next URL in one spelling, whatever the client’s', async () => {
    const { link } = await poll(
      '/v3/watch?wait=5&filters=NOPUT&access_token=x&range_end=AA%3D%3D&key=-_8=&prev_kv=true',
      EVENT,
    )
    expect(link).toBe('/v3/watch?key=-_8&range_end=AA&start_revision=8&prev_kv=true&filters=NOPUT&wait=5')
  })

  it.each([
    ['key=app/&prefix&encoding=utf8', 'encoding=utf8&key=app%2F&range_end=app0'],
    ['key=YQ&prefix=true', 'key=YQ&range_end=Yg'],
    ['key=Yf8&prefix=1', 'key=Yf8&range_end=Yg'],
    ['key=_w&prefix', 'key=_w&range_end=AA'],
    ['key=&prefix', 'key=AA&range_end=AA'],
    ['key=&range_end=Yg', 'key=AA&range_end=Yg'],
    ['key=%00&range_end=%00&encoding=utf8', 'encoding=utf8&key=%00&range_end=%00'],
    ['key=x&encoding=UTF-8', 'encoding=utf8&key=x'],
  ])('is for the range of %s, which the next URL spells out', async (query, next) => {
    const { link } = await poll(`/v3/watch?${query}&wait=1`, NOTHING)
    expect(link).toBe(`/v3/watch?${next}&start_revision=8&wait=1`)
    expect((await poll(link ?? '', NOTHING)).response.status).toBe(200)
  })

  it('is private with a token', async () => {
    const { cache } = await poll('/v3/watch?key=YQ&start_revision=5&wait=1', EVENT, {
      headers: { Authorization: 'x.1' },
    })
    expect(cache).toBe('private, no-store')
  })

  it('refuses a compacted position and says how far', async () => {
    const { response, cache } = await poll('/v3/watch?key=YQ&start_revision=1&wait=1', {
      revision: 9n,
      compactRevision: 5n,
    })
    const message = 'etcdserver: mvcc: required revision has been compacted'
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: message, code: 11, message, compact_revision: '5' })
    expect(cache).toBe('no-store')
  })

  it('fails as any call does, and that is kept by nobody', async () => {
    const { response, cache } = await poll(
      '/v3/watch?key=YQ&start_revision=1&wait=1',
      EtcdError.of('NoLeader'),
    )
    expect(response.status).toBe(503)
    expect(cache).toBe('no-store')
  })
})

describe('POST /v3/watch with Prefer: wait', () => {
  const post = (body: string) => ({ method: 'POST', body, headers: { Prefer: 'wait=5' } })

  it('takes the body of a watch, and is kept by nobody', async () => {
    const body = '{"create_request":{"key":"YQ==","range_end":"Yg==","start_revision":"5","prev_kv":true}}'
    const { asked, response, cache, link } = await poll('/v3/watch', EVENT, post(body))
    expect(asked).toMatchObject({ key: new Uint8Array([97]), startRevision: 5n, prevKv: true })
    expect(await response.json()).toMatchObject({ header: { revision: '7' }, events: [{ kv: {} }] })
    expect(cache).toBe('no-store')
    expect(link).toBe('/v3/watch?key=YQ&range_end=Yg&start_revision=8&prev_kv=true&wait=5')
  })

  it('has a next URL for a watch that names no key, too', async () => {
    const { link } = await poll('/v3/watch', EVENT, post('{"create_request":{}}'))
    expect(link).toBe('/v3/watch?key=AA&start_revision=8&wait=5')
  })

  it.each([
    ['{"cancel_request":{}}', 'a wait needs a create_request'],
    ['', 'a wait needs a create_request'],
    ['{"create_request":{"key":5}}', 'proto: (line 1:26): invalid value for bytes field key: 5'],
  ])('refuses %j', async (body, message) => {
    const { response } = await poll('/v3/watch', EVENT, post(body))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 3, message })
  })
})

it.each([
  [undefined, undefined],
  ['return=minimal', undefined],
  ['waiting=5', undefined],
  ['wait=7', 7],
  ['wait="7"', 7],
  ['Wait = 7', 7],
  ['wait', 30],
  ['wait=900', 55],
  ['respond-async, wait=10; x=1, handling=lenient', 10],
])('reads Prefer: %s', (header, seconds) => {
  expect(preferredWait(header)).toBe(seconds)
})

it('reads the longest Prefer that a server takes in no time', () => {
  const begun = performance.now()
  for (let i = 0; i < 10; i++) expect(preferredWait(`wait=${' '.repeat(16_000)}x`)).toBeUndefined()
  expect(performance.now() - begun).toBeLessThan(9000)
})
