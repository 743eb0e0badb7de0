import { expect, it } from 'vitest'
import { KeyClient } from './client.ts'
import type { KeyServer } from './servers.ts'

const CLIENTS = 6
const INCREMENTS = 10

/** Adds one to the counter at `target` by reading it and putting it back, until nobody was quicker. Gives its tag. */
async function increment(keys: KeyClient, target: string): Promise<string> {
  for (;;) {
    const { headers, body } = await keys.get(target)
    const next = String(Number(body.toString()) + 1)
    const put = await keys.put(target, next, { 'If-Match': headers.etag ?? '' })
    if (put.status === 204) return put.headers.etag ?? ''
    expect(put.status).toBe(412)
  }
}

/** That conditions hold when many write at once. */
export function testCompareAndSwap(server: KeyServer): void {
  it(`${CLIENTS} clients that read, add one and write back under If-Match lose nothing`, async () => {
    await server.keys.put('counter', '0')
    const clients = Array.from({ length: CLIENTS }, () => new KeyClient(server.gateway.url))
    const tags = await Promise.all(
      clients.map(async (keys) => {
        const own: string[] = []
        while (own.length < INCREMENTS) own.push(await increment(keys, 'counter'))
        return own
      }),
    )
    for (const client of clients) client[Symbol.dispose]()
    const { headers, body } = await server.keys.get('counter')
    expect(body.toString()).toBe(String(CLIENTS * INCREMENTS))
    expect(headers['edgetcd-version']).toBe(String(CLIENTS * INCREMENTS + 1))
    expect(new Set(tags.flat()).size).toBe(CLIENTS * INCREMENTS)
  })

  it('of many clients that make a key one does', async () => {
    const puts = Array.from({ length: CLIENTS }, (_, i) =>
      server.keys.put('leader', String(i), { 'If-None-Match': '*' }),
    )
    const statuses = (await Promise.all(puts)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(1)
    expect(statuses.filter((status) => status === 412)).toHaveLength(CLIENTS - 1)
    const { body, headers } = await server.keys.get('leader')
    expect(body.toString()).toBe(String(statuses.indexOf(201)))
    expect(headers['edgetcd-version']).toBe('1')
  })
}
