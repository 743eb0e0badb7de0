import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Chromium, chromiumBinary, type Page, startChromium } from '../support/chromium.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, type Gateway } from '../support/gateway.ts'
import { projectRoot } from '../support/paths.ts'
import { freePort } from '../support/ports.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { prefixRange } from '../support/watching.ts'

const binary = chromiumBinary()
if ('missing' in binary) console.log(`skipped: ${binary.missing}`)
const chromiumPath = 'path' in binary ? binary.path : ''

const PASSWORD = 'secret'

/** Serves the files by their paths; any other path is a page that runs page.js. */
async function servePages(pages: Readonly<Record<string, string>>): Promise<Server> {
  const script = readFileSync(join(import.meta.dirname, 'page.js'), 'utf8')
  const server = createServer(({ url = '/' }, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(pages[url] ?? `<!doctype html><script>${script}</script>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** The page in README.md, with another server in it. */
function readmePage(server: string): string {
  const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8')
  const [, html = ''] = /^```html\n([\s\S]*?)^```$/m.exec(readme) ?? []
  return html.replace('http://127.0.0.1:2379', server)
}

describe.skipIf(chromiumPath === '')('a page of another origin in Chromium', () => {
  let postgres: Postgres
  let chromium: Chromium
  beforeAll(async () => {
    ;[postgres, chromium] = await Promise.all([startPostgres(18), startChromium(chromiumPath)])
  })
  afterAll(async () => {
    await Promise.all([chromium[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()])
  })

  const withPages = async (pages: Readonly<Record<string, string>>) => {
    const server = await servePages(pages)
    return {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.dispose]: () => void server.close(),
    }
  }

  it('does what README.md shows', async () => {
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
    using pages = await withPages({ '/': readmePage(server.url) })
    const page = await chromium.open(pages.origin)
    const log = () => page.evaluate<string>(`document.querySelector('#log').textContent`)
    await expect.poll(log, { timeout: 20_000 }).toBe('PUT app/color green\n')
    await server.gateway.ok('/v3/kv/deleterange', { key: b64('app/color') })
    await expect.poll(log, { timeout: 20_000 }).toBe('PUT app/color green\nDELETE app/color \n')
  })

  it('watches by fetch and by EventSource, writes with a token, and survives the server', async () => {
    const schema = postgres.freshSchema()
    const port = await freePort()
    const options = { databaseUrl: postgres.url, schema, port, args: ['--stream-max-duration', '3s'] }
    // Another server on the same store, whose writes go on while the page's server is away.
    await using other = await startEdgetcd({ databaseUrl: postgres.url, schema })
    const token = await switchAuthenticationOn(other.gateway)
    let server: Edgetcd = await startEdgetcd(options)
    using pages = await withPages({})
    const page = await chromium.open(pages.origin)
    const visitor = new Visitor(page, server.url)
    await visitor.authenticate()
    await visitor.watch('k/')

    const written: string[] = []
    const write = async (key: string, by: (key: string) => Promise<string | undefined>) => {
      written.push(`PUT ${key}=v@${await by(key)}`)
    }
    const byPage = (key: string) => visitor.put(key)
    const byOther = async (key: string) => {
      const headers = { Authorization: token }
      const body = JSON.stringify({ key: b64(key), value: b64('v') })
      const response = await fetch(`${other.url}/v3/kv/put`, { method: 'POST', headers, body })
      return ((await response.json()) as Called['body']).header?.revision
    }
    for (let n = 0; n < 3; n++) await write(`k/page-${n}`, byPage)
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      server.child.signal(signal)
      await server.child.exited
      for (let n = 0; n < 3; n++) await write(`k/${signal}-${n}`, byOther)
      await byOther('unseen')
      server = await startEdgetcd(options)
      await write(`k/after-${signal}`, byPage)
    }
    // The server ends each stream after three seconds.
    const before = await visitor.connections()
    await expect
      .poll(async () => (await visitor.connections()).events, { timeout: 30_000 })
      .toBeGreaterThan(before.events + 1)
    await write('k/last', byPage)
    await expect.poll(() => visitor.seen(), { timeout: 30_000 }).toEqual({ fetch: written, events: written })
    await server[Symbol.asyncDispose]()
  })

  it('reads errors, creates a key only once, and is told when to stop', async () => {
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
    const token = await switchAuthenticationOn(server.gateway)
    using pages = await withPages({})
    const visitor = new Visitor(await chromium.open(pages.origin), server.url)
    expect(await visitor.call('/v3/kv/put', { key: b64('k/a') })).toMatchObject({
      status: 400,
      body: { message: 'etcdserver: user name is empty' },
    })
    await visitor.authenticate()
    expect(await visitor.create('k/a')).toEqual({ status: 201, etag: expect.stringMatching(/^"\d+"$/) })
    expect(await visitor.create('k/a')).toMatchObject({ status: 412 })
    expect(await visitor.eventsUntilClosed('not-mine/'), 'refused: 403').toEqual([])
    const headers = { Authorization: token }
    const body = JSON.stringify({ revision: '2' })
    await fetch(`${server.url}/v3/kv/compaction`, { method: 'POST', headers, body })
    expect(await visitor.eventsUntilClosed('k/', { start_revision: '1' })).toEqual(['created', 'compacted'])
  })

  it('reads nothing if its origin isn’t listed', async () => {
    using pages = await withPages({})
    const start = (cors: string) =>
      startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema(), args: ['--cors', cors] })
    await using open = await start(pages.origin)
    await using closed = await start('https://elsewhere.example')
    const page = await chromium.open(pages.origin)
    expect(await new Visitor(page, open.url).put('a')).toBe('2')
    await expect(new Visitor(page, closed.url).put('a')).rejects.toThrow('Failed to fetch')
    // The preflight kept the write away, too.
    expect(await closed.gateway.get('a')).toBeUndefined()
  })
})

/** Gives root's token, and makes a user `page` who may do everything under k/ and nothing else. */
async function switchAuthenticationOn(gateway: Gateway): Promise<string> {
  const { key, range_end } = prefixRange('k/')
  for (const [path, body] of [
    ['user/add', { name: 'root', password: PASSWORD }],
    ['role/add', { name: 'root' }],
    ['user/grant', { user: 'root', role: 'root' }],
    ['user/add', { name: 'page', password: PASSWORD }],
    ['role/add', { name: 'pages' }],
    ['role/grant', { name: 'pages', perm: { permType: 'READWRITE', key, range_end } }],
    ['user/grant', { user: 'page', role: 'pages' }],
    ['enable', {}],
  ] as const) {
    await gateway.ok(`/v3/auth/${path}`, body)
  }
  const { token } = await gateway.ok<{ token: string }>('/v3/auth/authenticate', {
    name: 'root',
    password: PASSWORD,
  })
  return token
}

interface Called {
  readonly status: number
  readonly body: { readonly token?: string; readonly header?: { readonly revision: string } }
}

/** The page, used on one server: the calls of page.js. */
class Visitor {
  #token: string | undefined
  readonly #page: Page
  readonly #server: string

  constructor(page: Page, server: string) {
    this.#page = page
    this.#server = server
  }

  async authenticate(): Promise<void> {
    const { body } = await this.call('/v3/auth/authenticate', { name: 'page', password: PASSWORD })
    this.#token = body.token
  }

  async watch(prefix: string): Promise<void> {
    const { key, range_end } = prefixRange(prefix)
    void this.#run('watchByFetch', key, range_end, this.#token).catch(() => {
      // It watches until the page is gone.
    })
    await this.#run('watchByEvents', key, range_end, this.#token)
    await expect.poll(async () => (await this.connections()).fetch, { timeout: 20_000 }).toBe(1)
  }

  call(path: string, body: object): Promise<Called> {
    return this.#run('call', path, body, this.#token)
  }

  /** Gives the revision. */
  async put(key: string): Promise<string | undefined> {
    const { body } = await this.#run<Called>('put', key, 'v', this.#token)
    return body.header?.revision
  }

  create(key: string): Promise<{ status: number; etag: string | null }> {
    return this.#run('create', key, 'v', this.#token)
  }

  eventsUntilClosed(prefix: string, more: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const query = { ...prefixRange(prefix), access_token: this.#token ?? '', ...more }
    return this.#run('eventsUntilClosed', new URLSearchParams(query).toString())
  }

  seen(): Promise<unknown> {
    return this.#page.evaluate('page.seen')
  }

  connections(): Promise<{ fetch: number; events: number }> {
    return this.#page.evaluate('page.connections')
  }

  #run<T>(name: string, ...args: unknown[]): Promise<T> {
    const words = [this.#server, ...args].map((argument) => JSON.stringify(argument) ?? 'undefined')
    return this.#page.evaluate(`page.${name}(${words.join(', ')})`)
  }
}
