import { describe, expect, it } from 'vitest'
import type { LongPollRequest } from '../service/services.ts'
import { fakeContext, fakeServices, type SomeServices } from './testing/fake-services.ts'
import { fetchApp } from './testing/fetch-app.ts'
import { serve } from './testing/served.ts'

const BINARY = new Uint8Array([0xff])

/** Answers each range and watch with its own key, and with a value that is no text. */
const services: SomeServices = {
  kv: { range: async ({ key, rangeEnd }) => ({ kvs: [{ key, value: BINARY }, { key: rangeEnd }] }) },
  watch: {
    async *watch(requests) {
      for await (const { requestUnion } of requests) {
        if (requestUnion.case !== 'createRequest') continue
        yield { created: true }
        yield { events: [{ kv: { key: requestUnion.value.key, modRevision: 2n, value: BINARY } }] }
      }
    },
  },
}

type Ask = (target: string, init?: RequestInit) => Promise<Response>
const context = fakeContext({ services: fakeServices(services) })

const DOORS: readonly (readonly [string, () => Promise<Ask>])[] = [
  ['the HTTP application', async () => (target, init) => fetchApp(target, init, context)],
  [
    'node:http',
    async () => {
      const { port } = await serve(services)
      return (target, init) => fetch(`http://127.0.0.1:${port}${target}`, init)
    },
  ],
]

describe.each(DOORS)('the readable form through %s', (_, open) => {
  const post = async (target: string, body: string, headers: Record<string, string> = {}) =>
    (await open())(target, { method: 'POST', body, headers })
  const RANGE = '{"key":"foo","range_end":"\\u0000"}'
  const ANSWER = '{"kvs":[{"key":"foo","value_base64":"/w=="},{"key":"\\u0000"}]}'

  it('is had by a query parameter or a header', async () => {
    for (const name of ['utf8', 'UTF8', 'utf-8', 'UTF-8']) {
      expect(await (await post(`/v3/kv/range?encoding=${name}`, RANGE)).text()).toBe(ANSWER)
    }
    expect(await (await post('/v3/kv/range', RANGE, { 'Edgetcd-Encoding': 'utf8' })).text()).toBe(ANSWER)
  })

  it('etcd: is not had without being asked for, whatever else the query says', async () => {
    const answer = '{"kvs":[{"key":"YQ==","value":"/w=="},{}]}'
    for (const target of ['/v3/kv/range', '/v3/kv/range?utf8', '/v3/kv/range?encoding=base64']) {
      expect(await (await post(target, '{"key":"YQ=="}')).text(), target).toBe(answer)
    }
    const both = await post('/v3/kv/range?encoding=base64', '{"key":"YQ=="}', { 'Edgetcd-Encoding': 'utf8' })
    expect(await both.text(), 'the query goes first').toBe(answer)
  })

  it.each(['/v3/kv/range', '/v3/watch'])('is refused on %s when its name is unknown', async (path) => {
    for (const refused of [
      await post(`${path}?encoding=utf-16`, '{}'),
      await post(path, '{}', { 'Edgetcd-Encoding': 'utf-16' }),
    ]) {
      expect(refused.status).toBe(400)
      expect(await refused.json()).toMatchObject({
        code: 3,
        message: 'invalid value for encoding: "utf-16" (there are utf8 and base64)',
      })
    }
  })

  it('is that of every message on a stream', async () => {
    const body = '{"create_request":{"key":"foo"}}{"create_request":{"key_base64":"/w=="}}'
    const lines = (await (await post('/v3/watch?encoding=utf8', body)).text()).split('\n')
    expect(lines).toEqual([
      '{"result":{"created":true}}',
      '{"result":{"events":[{"kv":{"key":"foo","mod_revision":"2","value_base64":"/w=="}}]}}',
      '{"result":{"created":true}}',
      '{"result":{"events":[{"kv":{"key_base64":"/w==","mod_revision":"2","value_base64":"/w=="}}]}}',
      '',
    ])
  })
})

it('server-sent events have it', async () => {
  const response = await fetchApp(
    '/v3/watch?key=foo&encoding=utf8',
    { headers: { Accept: 'text/event-stream' } },
    context,
  )
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const created = await reader?.read()
  const changed = await reader?.read()
  await reader?.cancel()
  expect(created?.value).toContain('event: created')
  expect(changed?.value).toContain('"kv":{"key":"foo","mod_revision":"2","value_base64":"/w=="}')
})

describe('a long poll in the readable form', () => {
  const asked: LongPollRequest[] = []
  const polled = fakeContext({
    services: fakeServices({
      longPoll: async (request) => {
        asked.push(request)
        return { revision: 7n, events: [{ kv: { key: request.key, value: BINARY } }] }
      },
    }),
  })
  const poll = async (query: string, init: RequestInit = {}) => {
    const response = await fetchApp(`/v3/watch?wait=0&${query}`, init, polled)
    return { response, body: await response.text(), link: response.headers.get('link') }
  }

  it.each([
    [
      'key=a%20%C3%A9%2F&encoding=utf8',
      '"key":"a é/"',
      'encoding=utf8&key=a+%C3%A9%2F&start_revision=8&wait=0',
    ],
    [
      'key_base64=/w&encoding=utf8',
      '"key_base64":"/w=="',
      'encoding=utf8&key_base64=_w&start_revision=8&wait=0',
    ],
    [
      'key=a&range_end=%00&encoding=utf8',
      '"key":"a"',
      'encoding=utf8&key=a&range_end=%00&start_revision=8&wait=0',
    ],
    [
      'key_base64=77-9&encoding=utf8',
      '"key":"\ufffd"',
      'encoding=utf8&key_base64=77-9&start_revision=8&wait=0',
    ],
    ['key=YQ', '"key":"YQ=="', 'key=YQ&start_revision=8&wait=0'],
  ])('GET ?%s says where to go on in the same form', async (query, shown, next) => {
    const { body, link } = await poll(query)
    expect(body).toContain(shown)
    expect(link).toBe(`</v3/watch?${next}>; rel="next"`)
  })

  it.each([
    ['key=%FF', 'invalid value for key: "\ufffd"'],
    ['key=a&key_base64=YQ', 'invalid value for key_base64: "YQ"'],
    ['key_base64=!', 'invalid value for key: "!"'],
    ['encoding=latin1', 'invalid value for encoding: "latin1" (there are utf8 and base64)'],
  ])('GET ?%s is refused', async (query, message) => {
    const { response, body } = await poll(query.includes('encoding') ? query : `${query}&encoding=utf8`)
    expect(response.status).toBe(400)
    expect(JSON.parse(body)).toMatchObject({ code: 3, message })
  })

  it('GET takes it from the query alone, for caches look at nothing else', async () => {
    const { response, body } = await poll('key=a', { headers: { 'Edgetcd-Encoding': 'utf8' } })
    expect(response.status).toBe(400)
    expect(JSON.parse(body)).toMatchObject({ message: 'a GET has its encoding in its query: encoding=utf8' })
  })

  it('POST reads its body so', async () => {
    const { body, link } = await poll('', {
      method: 'POST',
      body: '{"create_request":{"key":"foo"}}',
      headers: { Prefer: 'wait=0', 'Edgetcd-Encoding': 'utf8' },
    })
    expect(body).toContain('"key":"foo"')
    expect(link).toContain('encoding=utf8&key=foo')
  })
})
