import { describe, expect, it } from 'vitest'
import { PROBES } from './operations.ts'
import { ROUTES } from './routes.ts'
import { fetchApp } from './testing/fetch-app.ts'

/** Whatever a GET may ask for whose answer may change, but a long poll, whose answers say how long they may be kept. */
const GETS = [
  ...Object.entries(PROBES).flatMap(([probe, checks]) => [
    `/${probe}`,
    ...checks.map((check) => `/${probe}/${check}`),
  ]),
  ...['/health', '/health?exclude=NOSPACE', '/metrics', '/keys/a', '/keys/', '/keys/a?stale'],
  // Nowhere, a path to be cleaned, one that can't be read.
  ...['/', '/none', '/v3/none', '/v3//kv/range', '/%zz', '/v3/watch?wait=x', '/v3/watch?key=YQ', '/v3/watch'],
]

describe('an answer that a shared cache must not keep', () => {
  it.each(GETS)('says so: GET %s', async (target) => {
    for (const method of ['GET', 'HEAD']) {
      const { headers, body } = await fetchApp(target, { method })
      await body?.cancel()
      expect(headers.get('cache-control'), method).toContain('no-store')
      expect(headers.has('set-cookie')).toBe(false)
    }
  })

  it('is never what an RPC answers, which no GET calls', async () => {
    for (const path of ROUTES.keys()) expect((await fetchApp(path)).status, path).toBe(501)
  })

  it('says so for events, too', async () => {
    const { headers, body } = await fetchApp('/v3/watch?key=YQ', { headers: { accept: 'text/event-stream' } })
    await body?.cancel()
    expect(headers.get('content-type')).toContain('text/event-stream')
    expect(headers.get('cache-control')).toBe('no-store')
  })
})
