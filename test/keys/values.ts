import { expect, it } from 'vitest'
import { b64 } from '../support/gateway.ts'
import { error, etag, json, type KeyAnswer, revision } from './client.ts'
import type { KeyServer } from './servers.ts'

const COMPACTED = 'etcdserver: mvcc: required revision has been compacted'
const FUTURE = 'etcdserver: mvcc: required revision is a future revision'

/** What docs/keys.md says of methods, headers and statuses. */
export function testValues(server: KeyServer): void {
  it('a value is made, read, replaced and deleted, as the bytes that it is', async () => {
    const { keys, gateway } = server
    const made = await keys.put('app/config', Buffer.from([0, 0xff, 0x0a]))
    expect(made.status).toBe(201)
    expect(made.body.length).toBe(0)
    const at = revision(made)
    expect(made.headers).toMatchObject({
      etag: `"${at}"`,
      'edgetcd-create-revision': `${at}`,
      'edgetcd-mod-revision': `${at}`,
      'edgetcd-version': '1',
    })
    expect(made.headers).not.toHaveProperty('edgetcd-lease')

    const replaced = await keys.put('app/config', '<script>')
    expect(replaced.status).toBe(204)
    expect(replaced.headers).not.toHaveProperty('content-length')
    expect(etag(replaced)).toBe(`"${at + 1}"`)
    expect(await gateway.get('app/config')).toMatchObject({ value: b64('<script>'), version: '2' })

    const got = await keys.get('app/config')
    expect(got.status).toBe(200)
    expect(got.body.toString()).toBe('<script>')
    expect(got.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
      etag: `"${at + 1}"`,
      'edgetcd-revision': `${at + 1}`,
      'edgetcd-create-revision': `${at}`,
      'edgetcd-mod-revision': `${at + 1}`,
      'edgetcd-version': '2',
    })
    expect(got.headers).not.toHaveProperty('content-encoding')

    const head = await keys.send('HEAD', 'app/config')
    const withoutDate = ({ date: _date, ...headers }: KeyAnswer['headers']) => headers
    expect({ ...head, headers: withoutDate(head.headers) }).toEqual({
      status: 200,
      headers: withoutDate(got.headers),
      body: Buffer.alloc(0),
    })

    const deleted = await keys.delete('app/config')
    expect([deleted.status, revision(deleted)]).toEqual([204, at + 2])
    const absent = await keys.get('app/config')
    expect([absent.status, revision(absent)]).toEqual([404, at + 2])
    expect(json(absent)).toEqual(error(5, 'key not found'))
    expect(absent.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    const again = await keys.delete('app/config')
    expect([again.status, json(again), revision(again)]).toEqual([404, error(5, 'key not found'), at + 2])
  })

  it('an empty value is a value', async () => {
    const { keys } = server
    expect((await keys.put('empty', '')).status).toBe(201)
    const { status, headers, body } = await keys.get('empty')
    expect([status, headers['content-length'], body.length]).toEqual([200, '0', 0])
  })

  it('a lease goes with a value, and comes back with it', async () => {
    const { keys, gateway } = server
    const unknown = await keys.put('leased', 'x', { 'Edgetcd-Lease': '77' })
    expect([unknown.status, json(unknown)]).toEqual([404, error(5, 'etcdserver: requested lease not found')])
    expect((await keys.get('leased')).status).toBe(404)
    await gateway.ok('/v3/lease/grant', { ID: '9000000000000000001', TTL: '600' })
    const put = await keys.put('leased', 'x', { 'Edgetcd-Lease': '9000000000000000001' })
    expect([put.status, put.headers['edgetcd-lease']]).toEqual([201, '9000000000000000001'])
    expect((await keys.get('leased')).headers['edgetcd-lease']).toBe('9000000000000000001')
    expect((await keys.put('leased', 'x')).headers).not.toHaveProperty('edgetcd-lease')
    expect((await gateway.get('leased'))?.lease).toBeUndefined()
    for (const lease of ['x', '', '1.5', '9223372036854775808']) {
      expect((await keys.put('leased', 'x', { 'Edgetcd-Lease': lease })).status, lease).toBe(400)
    }
  })

  it('a value is read as it was at a revision', async () => {
    const { keys, gateway } = server
    const before = revision(await keys.put('other', ''))
    const first = await keys.put('past', 'first')
    await keys.put('past', 'second')
    const at = await keys.get(`past?revision=${revision(first)}`)
    expect(at.body.toString()).toBe('first')
    expect(at.headers).toMatchObject({
      etag: etag(first),
      'edgetcd-revision': `${revision(first)}`,
      'cache-control': 'private, max-age=3600',
    })
    const same = await keys.get(`past?revision=${revision(first)}`, { 'If-None-Match': etag(first) })
    expect([same.status, same.headers['cache-control']]).toEqual([304, 'private, max-age=3600'])
    const missing = await keys.get(`past?revision=${before}`)
    expect([missing.status, missing.headers['cache-control']]).toEqual([404, 'no-store'])
    const future = await keys.get('past?revision=1000000')
    expect([future.status, json(future), future.headers['cache-control']]).toEqual([
      400,
      error(11, FUTURE),
      'no-store',
    ])
    await gateway.ok('/v3/kv/compaction', { revision: String(revision(first)) })
    const gone = await keys.get(`past?revision=${before}`)
    expect([gone.status, json(gone)]).toEqual([400, error(11, COMPACTED)])
  })

  it('keys are listed by their prefix, all pages at one revision', async () => {
    const { keys, gateway } = server
    await gateway.ok('/v3/lease/grant', { ID: '5', TTL: '600' })
    await keys.put('l/a', '1', { 'Edgetcd-Lease': '5' })
    for (const key of ['l/%ff', 'l/b%20%3F', 'l/c//d']) await keys.put(key, '1')
    const last = await keys.put('l/c', '1')
    await keys.put('l0', 'outside')
    const listed = await keys.get('l/?prefix')
    expect(listed.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    expect(listed.headers).not.toHaveProperty('link')
    const at = revision(listed)
    const entry = (path: string, back: number, key?: string) => ({
      ...(key && { key }),
      path: `/keys/${path}`,
      etag: `"${at - back}"`,
      create_revision: `${at - back}`,
      mod_revision: `${at - back}`,
      version: '1',
    })
    const all = [
      { ...entry('l/a', 5, 'l/a'), lease: '5' },
      entry('l/b%20%3F', 3, 'l/b ?'),
      entry('l/c', 1, 'l/c'),
      entry('l%2Fc%2F%2Fd', 2, 'l/c//d'),
      entry('l/%FF', 4),
    ]
    expect(json(listed)).toEqual({ revision: `${at}`, keys: all })

    const pages: unknown[] = []
    for (let url: string | undefined = '/keys/l/?prefix&limit=2'; url !== undefined; ) {
      const page = await keys.get(url.slice('/keys/'.length))
      const { revision: shown, keys: found, next } = json(page) as Record<string, never>
      expect([page.status, shown, revision(page)]).toEqual([200, `${at}`, at])
      expect(page.headers.link).toBe(next && `<${next}>; rel="next"`)
      pages.push(found)
      url = next
      // What happens meanwhile doesn't show.
      await keys.put('l/b', 'new')
      await keys.delete('l/c', { 'If-Match': etag(last) })
    }
    expect(pages).toEqual([all.slice(0, 2), all.slice(2, 4), all.slice(4)])

    expect(json(await keys.get('none?prefix'))).toMatchObject({ keys: [] })
    expect(json(await keys.get('l/?prefix&after=m'))).toMatchObject({ keys: [] })
    expect(json(await keys.get('l/c?prefix&after=a'))).toMatchObject({ keys: [{ key: 'l/c//d' }] })
    const everything = json(await keys.get('?prefix')) as { keys: { key: string }[] }
    expect(everything.keys.map(({ key }) => key)).toEqual(expect.arrayContaining(['l/b', 'l0', 'empty']))
    expect((await keys.get('l/?prefix&revision=1000000')).status).toBe(400)
    expect((await keys.send('HEAD', 'l/?prefix')).body.length).toBe(0)
  })

  it('what follows /keys/ is the key, however unclean it is', async () => {
    const { keys, gateway } = server
    const named: [target: string, key: string][] = [
      ['/registry/x', '/registry/x'],
      ['%2Fregistry%2Fy', '/registry/y'],
      ['a//b/', 'a//b/'],
      ['a/../b', 'a/../b'],
      ['a/%2e%2e/c', 'a/../c'],
      ['.', '.'],
      ['?key=..', '..'],
      ['?key=%2Fa+b', '/a b'],
      ['q%3Fprefix', 'q?prefix'],
      ['100%25', '100%'],
      ['a+b', 'a+b'],
      ['v3/kv/range', 'v3/kv/range'],
      ['a%00b', 'a\0b'],
      ['k%23', 'k#'],
    ]
    for (const [target, key] of named) {
      expect((await keys.put(target, target)).status, target).toBe(201)
      expect(await gateway.get(key), target).toMatchObject({ value: b64(target) })
      expect((await keys.get(target)).body.toString(), target).toBe(target)
      expect((await keys.delete(target)).status, target).toBe(204)
    }
  })

  it('what is wrong is said in JSON, and nothing is done', async () => {
    const { keys, gateway } = server
    const before = revision(await keys.put('wrong', 'x'))
    const wrong: [status: number, method: string, target: string, headers?: Record<string, string>][] = [
      [400, 'GET', ''],
      [400, 'PUT', ''],
      [400, 'DELETE', ''],
      [400, 'GET', '%zz'],
      [400, 'PUT', 'wrong%'],
      [400, 'GET', 'wrong?x'],
      [400, 'PUT', 'wrong?x'],
      [400, 'DELETE', 'wrong?prefix'],
      [400, 'DELETE', '?prefix'],
      [400, 'DELETE', 'wrong?revision=2'],
      [400, 'PUT', 'wrong', { 'If-Match': String(before) }],
      [400, 'DELETE', 'wrong', { 'If-None-Match': '"' }],
      [400, 'PUT', 'wrong', { 'Content-Range': 'bytes 0-3/10' }],
      [400, 'GET', 'wrong', { 'Grpc-Timeout': 'soon' }],
      [504, 'PUT', 'wrong', { 'Grpc-Timeout': '1n' }],
      [405, 'POST', 'wrong'],
      [405, 'PATCH', 'wrong'],
      [405, 'PROPFIND', 'wrong'],
      [414, 'PUT', 'k'.repeat(2561)],
      [404, 'GET', 'k'.repeat(2561)],
      [404, 'DELETE', 'k'.repeat(2561)],
    ]
    for (const [status, method, target, headers = {}] of wrong) {
      const answer = await keys.send(method, target, { headers })
      expect(answer.status, `${method} ${target}`).toBe(status)
      expect(json(answer)).toEqual(error(expect.any(Number), expect.any(String)))
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'no-store',
      })
      if (status === 405) expect(answer.headers.allow).toBe('GET, HEAD, PUT, DELETE, OPTIONS')
    }
    expect(json(await keys.get(''))).toEqual(
      error(3, 'etcdserver: key is not provided; /keys/<key> is a key, and /keys/?prefix lists all'),
    )
    expect(await gateway.get('wrong')).toMatchObject({ mod_revision: `${before}` })
  })

  it('values may be as large as a request, and no larger', async () => {
    const { keys } = server
    const large = Buffer.alloc(1_572_000, 0xa5)
    expect((await keys.put('large', large)).status).toBe(201)
    expect((await keys.get('large')).body.equals(large)).toBe(true)
    const larger = await keys.put('larger', Buffer.alloc(1_572_864))
    const help = 'a value, with its key and some bytes around them, may have 1572864 (--max-request-bytes)'
    expect([larger.status, json(larger)]).toEqual([
      413,
      error(3, `etcdserver: request is too large; ${help}`),
    ])
    const largest = await keys.put('larger', Buffer.alloc(4 * 1024 * 1024 + 1))
    expect([largest.status, json(largest)]).toEqual([
      413,
      error(8, `the body of the request is larger than max (4194304); ${help}`),
    ])
    expect((await keys.get('larger')).status).toBe(404)
  })
}
