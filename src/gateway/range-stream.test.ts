import { expect, it } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import type { RangeInChunks } from '../service/services.ts'
import { deferred, open, serve } from './testing/served.ts'

/** Opens a range as lines on node:http, whose chunks `rangeInChunks` gives, and reads the head. */
async function openRange(rangeInChunks: RangeInChunks) {
  const running = await serve({ kv: { rangeInChunks } })
  const connection = open(running)
  connection.request('POST', '/v3/kv/range', { Accept: 'application/x-ndjson' }, '{"key":"YQ=="}')
  return { running, connection, head: await connection.readHead() }
}

it('a chunk is a line, and a failure the last', async () => {
  const { connection, head } = await openRange(async function* () {
    yield { kvs: [{ key: Uint8Array.of(97) }] }
    throw EtcdError.of('Compacted')
  })
  expect(head.status).toBe(200)
  expect(head.headers.get('content-type')).toBe('application/x-ndjson')
  expect(await connection.readChunk()).toBe('{"result":{"kvs":[{"key":"YQ=="}]}}\n')
  expect(await connection.readChunk()).toBe(
    '{"error":{"code":11,"message":"etcdserver: mvcc: required revision has been compacted"}}\n',
  )
  expect(await connection.readChunk()).toBe('')
})

it('a server that stops lets it come to its end, for half a range must not look like a whole', async () => {
  const go = deferred<void>()
  const { running, connection } = await openRange(async function* () {
    yield { kvs: [] }
    await go.promise
    yield { count: 1n }
  })
  await connection.readChunk()
  running.gateway.endStreams()
  go.resolve()
  expect(await connection.readChunk()).toBe('{"result":{"count":"1"}}\n')
  expect(await connection.readChunk()).toBe('')
  await connection.closed()
})

it('a server that has to stop ends it with an error', async () => {
  const { running, connection } = await openRange(async function* () {
    yield { kvs: [] }
    await new Promise(() => {})
  })
  await connection.readChunk()
  running.gateway.endStreams()
  running.gateway.endCalls()
  expect(await connection.readChunk()).toBe('{"error":{"code":14,"message":"etcdserver: server stopped"}}\n')
  expect(await connection.readChunk()).toBe('')
  await connection.closed()
})

it('only its own media type asks for it', async () => {
  const connection = open(await serve())
  for (const accept of ['*/*', 'application/json', 'application/*']) {
    connection.request('POST', '/v3/kv/range', { Accept: accept }, '{"key":"YQ=="}')
    const { status, headers } = await connection.readAnswer()
    expect([status, headers.get('content-type')], accept).toEqual([200, 'application/json'])
  }
})
