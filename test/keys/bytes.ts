import { assert, asyncProperty, oneof, uint8Array } from 'fast-check'
import { expect, it } from 'vitest'
import { escaped } from './client.ts'
import type { KeyServer } from './servers.ts'

const RUNS = 40

const keyBytes = oneof(
  uint8Array({ minLength: 1, maxLength: 40 }),
  // What paths and queries are made of.
  uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) =>
    bytes.map((byte) => './%?#&=+\\ '.charCodeAt(byte % 10)),
  ),
)

/** That no byte of a key or a value is lost on any way. */
export function testBytes(server: KeyServer, seed: number): void {
  it('any key with any value is put, read, found in a list by its own path, and deleted', async () => {
    const { keys } = server
    const trip = asyncProperty(keyBytes, uint8Array({ maxLength: 3000 }), async (key, value) => {
      const target = escaped(key)
      const put = await keys.put(target, value)
      expect(put.status).toBe(201)
      expect((await keys.get(target)).body).toEqual(Buffer.from(value))
      const listed = await keys.get(`?prefix&key=${target}`)
      const all = (JSON.parse(listed.body.toString()) as { keys: { path: string; etag: string }[] }).keys
      const { path = '', etag = '' } = all.find((entry) => entry.etag === put.headers.etag) ?? {}
      // As fetch and browsers send it.
      const { pathname, search } = new URL(path, 'http://test')
      const cleaned = `${pathname}${search}`.slice('/keys/'.length)
      const got = await keys.get(cleaned, { 'If-Match': etag })
      expect(got.body).toEqual(Buffer.from(value))
      expect((await keys.delete(cleaned, { 'If-Match': etag })).status).toBe(204)
      expect((await keys.get(target)).status).toBe(404)
    })
    await assert(trip, { seed, numRuns: RUNS })
  })
}
