import { expect, it } from 'vitest'
import { error, etag, json, revision } from './client.ts'
import type { KeyServer } from './servers.ts'

/** What If-Match and If-None-Match do to each method. */
export function testConditions(server: KeyServer): void {
  it('a value changes only under its conditions, and nothing else happens', async () => {
    const { keys } = server
    const first = etag(await keys.put('cas', 'first'))
    const now = etag(await keys.put('cas', 'now'))
    const refused: [method: string, headers: Record<string, string>][] = [
      ['PUT', { 'If-Match': first }],
      ['PUT', { 'If-Match': `${first}, "abc", W/${now}` }],
      ['PUT', { 'If-Match': '"abc"' }],
      ['PUT', { 'If-None-Match': '*' }],
      ['PUT', { 'If-None-Match': now }],
      ['PUT', { 'If-None-Match': `${first}, W/${now}` }],
      ['PUT', { 'If-Match': now, 'If-None-Match': '*' }],
      ['PUT', { 'If-Match': '*', 'If-None-Match': now }],
      ['PUT', { 'If-Match': `${first}, ${now}`, 'If-None-Match': now }],
      ['DELETE', { 'If-Match': first }],
      ['DELETE', { 'If-Match': `W/${now}` }],
      ['DELETE', { 'If-None-Match': '*' }],
      ['GET', { 'If-Match': first }],
      ['GET', { 'If-Match': `W/${now}` }],
      ['GET', { 'If-Match': first, 'If-None-Match': now }],
      ['HEAD', { 'If-Match': first }],
    ]
    for (const [method, headers] of refused) {
      const answer = await keys.send(method, 'cas', { headers, ...(method === 'PUT' && { body: 'x' }) })
      expect([answer.status, etag(answer)], `${method} ${JSON.stringify(headers)}`).toEqual([412, now])
      if (method !== 'HEAD')
        expect(json(answer)).toEqual(error(9, `precondition failed: the key is at ${now}`))
      expect(`"${revision(answer)}"`).toBe(now)
    }
    expect((await keys.get('cas')).body.toString()).toBe('now')
  })

  it('a value is not sent to who has it', async () => {
    const { keys } = server
    const now = etag(await keys.put('cached', 'value'))
    for (const condition of [now, `W/${now}`, `"1", ${now}`, '*']) {
      const { status, headers, body } = await keys.get('cached', { 'If-None-Match': condition })
      expect([status, headers.etag, headers['cache-control'], body.length]).toEqual([304, now, 'no-store', 0])
      expect(headers).not.toHaveProperty('content-length')
    }
    for (const headers of [{ 'If-None-Match': '"1"' }, { 'If-Match': now }, { 'If-Match': `"1",${now}` }]) {
      expect((await keys.get('cached', headers)).status).toBe(200)
    }
    // Keys have no dates: RFC 9110 has them ignored.
    const later = new Date(Date.now() + 1000).toUTCString()
    expect((await keys.get('cached', { 'If-Modified-Since': later })).status).toBe(200)
    expect((await keys.put('cached', 'x', { 'If-Unmodified-Since': new Date(0).toUTCString() })).status).toBe(
      204,
    )
  })

  it('a value is written when its conditions hold', async () => {
    const { keys } = server
    const put = (headers: Record<string, string>) => keys.put('cas2', 'x', headers)
    const missing = await put({ 'If-Match': '*' })
    expect(missing.status).toBe(412)
    expect(missing.headers).not.toHaveProperty('etag')
    expect(json(missing)).toEqual(error(9, 'precondition failed: the key does not exist'))
    expect((await put({ 'If-Match': '"2"' })).status).toBe(412)
    const made = await put({ 'If-None-Match': '*' })
    expect(made.status).toBe(201)
    const second = await put({ 'If-Match': etag(made) })
    expect(second.status).toBe(204)
    const third = await put({
      'If-Match': `"1", ${etag(made)}, ${etag(second)}`,
      'If-None-Match': etag(made),
    })
    expect(third.status).toBe(204)
    const fourth = await put({ 'If-Match': '*' })
    expect(fourth.status).toBe(204)
    const fifth = await put({ 'If-None-Match': `${etag(made)}, ${etag(third)}` })
    expect([fifth.status, fifth.headers['edgetcd-version']]).toEqual([204, '5'])
    expect((await keys.delete('cas2', { 'If-Match': `${etag(made)}, ${etag(fifth)}` })).status).toBe(204)
    for (const condition of ['If-Match', 'If-None-Match']) {
      // RFC 9110, 13.2.1: without the condition it would be 404, too.
      expect((await keys.delete('cas2', { [condition]: '*' })).status).toBe(404)
      expect((await keys.get('cas2', { [condition]: '*' })).status).toBe(404)
    }
    const many = Array.from({ length: 128 }, (_, i) => `"${i + 1_000_000}"`).join()
    expect((await put({ 'If-Match': many })).status).toBe(412)
    expect((await put({ 'If-None-Match': many })).status).toBe(201)
    const tooMany = await put({ 'If-Match': `${many}, "1"` })
    expect([tooMany.status, json(tooMany)]).toEqual([
      400,
      error(3, 'etcdserver: too many operations in txn request'),
    ])
  })
}
