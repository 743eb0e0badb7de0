import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pollPath, startWaiters } from '../scale/waiters.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64 } from '../support/gateway.ts'
import { type Nginx, nginxBinary, startNginx } from '../support/nginx.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'

const nginx = nginxBinary()
const reason = 'missing' in nginx ? ` (skipped: ${nginx.missing})` : ''

describe.skipIf('missing' in nginx)(
  `nginx before the server, configured as the documentation says${reason}`,
  () => {
    let postgres: Postgres
    let server: Edgetcd
    let origin: CountingProxy
    let cache: Nginx
    beforeAll(async () => {
      if ('missing' in nginx) return
      postgres = await startPostgres(18)
      server = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
      origin = await startCountingProxy(server.url)
      cache = await startNginx(nginx.path, origin.url)
    })
    afterAll(async () => {
      await cache?.[Symbol.asyncDispose]()
      await origin?.[Symbol.asyncDispose]()
      await server?.[Symbol.asyncDispose]()
      await postgres?.[Symbol.asyncDispose]()
    })

    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(new URL(path, cache.url), { headers })

    it('makes one request of a thousand that wait at one URL', async () => {
      const prefix = 'thousand/'
      const startRevision = (await server.gateway.put(prefix, '')) + 1
      const before = origin.targets.length
      const first = pollPath({ prefix, startRevision, wait: 30 })
      const waiters = await startWaiters({ url: cache.url, prefix, startRevision, count: 1000, wait: 30 })
      await until(() => origin.targets.length > before)
      await waiters.seen(await server.gateway.put(`${prefix}k`, 'v'))
      waiters.close()
      const asked = origin.targets.slice(before)
      expect(asked.filter((target) => target === first)).toHaveLength(1)
      expect(new Set(asked).size, 'and one at the next').toBe(asked.length)
      expect(asked.length).toBeLessThanOrEqual(2)
    })

    it('gives those who waited together an empty answer together, and nobody spins', async () => {
      const prefix = 'silent/'
      const startRevision = (await server.gateway.put(prefix, '')) + 1
      const before = origin.targets.length
      const startMs = performance.now()
      const waiters = await startWaiters({ url: cache.url, prefix, startRevision, count: 50, wait: 1 })
      await until(() => origin.targets.length >= before + 4)
      const seconds = (performance.now() - startMs) / 1000
      waiters.close()
      // A wait is a second, less a tenth at the most, and nginx may be half a second late.
      expect(seconds).toBeGreaterThan(2.7)
      expect(waiters.emptyAnswers).toBeLessThanOrEqual(50 * 4)
      const asked = origin.targets.slice(before)
      expect(new Set(asked).size, 'each URL once').toBe(asked.length)
    })

    it("lets nobody wait for another whose answer isn't shared", async () => {
      const before = origin.targets.length
      const path = pollPath({ prefix: 'now/', startRevision: 0, wait: 30 }).replace('&start_revision=0', '')
      let isAnswered = false
      const answers = Promise.all([get(path), get(path)]).finally(() => {
        isAnswered = true
      })
      await until(() => origin.targets.length === before + 2)
      // Nothing tells when the server has read what is now for each of them: what is put before that isn't waited for.
      while (!isAnswered) await server.gateway.put('now/k', 'v')
      for (const answer of await answers) expect(await answer.json()).toHaveProperty('events')
    })

    it('keeps what happened: whoever comes later asks the server for nothing', async () => {
      const prefix = 'later/'
      const startRevision = await server.gateway.put(prefix, 'v')
      const path = pollPath({ prefix, startRevision, wait: 30 })
      const answers = [await get(path), await get(path)]
      const [first, second] = await Promise.all(answers.map((answer) => answer.text()))
      expect(second).toBe(first)
      expect(origin.targets.filter((target) => target === path)).toHaveLength(1)
    })

    it('keeps nothing else, and lets streams through as they come', async () => {
      const before = origin.targets.length
      for (const path of ['/health', '/livez', '/keys/none', '/none', '/v3/watch?key=YQ&wait=0']) {
        for (let i = 0; i < 2; i++) expect((await get(path)).headers.get('cache-control')).toBe('no-store')
      }
      expect(origin.targets.length - before).toBe(10)
      const events = await get(`/v3/watch?key=${b64('streamed')}`, { accept: 'text/event-stream' })
      const reader = events.body?.getReader()
      const first = await reader?.read()
      expect(Buffer.from(first?.value ?? []).toString()).toContain('event: created')
      await reader?.cancel()
    })

    describe('with authentication on', () => {
      const tokens: Record<string, string> = {}
      let path: string
      beforeAll(async () => {
        const startRevision = await server.gateway.put('secret/', 'v')
        path = pollPath({ prefix: 'secret/', startRevision, wait: 1 })
        const ok = server.gateway.ok.bind(server.gateway)
        for (const name of ['root', 'ada', 'eve']) {
          await ok('/v3/auth/user/add', { name, password: 'pw' })
          await ok('/v3/auth/role/add', { name })
          await ok('/v3/auth/user/grant', { user: name, role: name })
        }
        const perm = { key: b64('secret/'), range_end: b64('secret0'), permType: 'READ' }
        await ok('/v3/auth/role/grant', { name: 'ada', perm })
        await ok('/v3/auth/enable', {})
        for (const name of ['ada', 'eve']) {
          const { token } = await ok<{ token: string }>('/v3/auth/authenticate', { name, password: 'pw' })
          tokens[name] = token
        }
      })

      it.each(['Authorization', 'Grpc-Metadata-Authorization', 'Grpc-Metadata-Token'])(
        'what a token in %s may read is given to nobody else',
        async (header) => {
          const asked = () => origin.targets.filter((target) => target === path).length
          const before = asked()
          const as = (name: string) => get(path, { [header]: tokens[name] ?? '' })
          const first = await as('ada')
          expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'private, no-store'])
          const others = [await as('eve'), await get(path)]
          expect(others.map(({ status }) => status)).toEqual([403, 400])
          for (const { headers } of others) expect(headers.get('cache-control')).toBe('no-store')
          expect((await as('ada')).status).toBe(200)
          expect(asked() - before, 'each was asked for').toBe(4)
        },
      )
    })
  },
)

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}
