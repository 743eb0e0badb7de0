import { describe, expect, it } from 'vitest'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { fakeContext, type SomeServices } from './testing/fake-services.ts'
import { aborted, CREATE, deferred, open, serve } from './testing/served.ts'
import { standstill } from './testing/standstill.ts'

const header = { clusterId: 1n, memberId: 2n, revision: 1n, raftTerm: 2n }

describe('streams', () => {
  it('send the headers with the first message, and one message a chunk, newline included', async () => {
    const go = deferred<void>()
    const services: SomeServices = {
      watch: {
        async *watch() {
          await go.promise
          yield { header, created: true }
          yield { header, watchId: 1n }
        },
      },
    }
    const connection = open(await serve(services))
    connection.request('POST', '/v3/watch', {}, CREATE)
    await new Promise((resolve) => setImmediate(resolve))
    expect(connection.socket.bytesRead).toBe(0)
    go.resolve()
    const { status, headers } = await connection.readHead()
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('content-encoding')).toBe('identity')
    expect(headers.get('grpc-metadata-content-type')).toBe('application/grpc')
    const head = '"header":{"cluster_id":"1","member_id":"2","revision":"1","raft_term":"2"}'
    expect(await connection.readChunk()).toBe(`{"result":{${head},"created":true}}\n`)
    expect(await connection.readChunk()).toBe(`{"result":{${head},"watch_id":"1"}}\n`)
    expect(await connection.readChunk()).toBe('')
  })

  it("let a watch's first message stand alone for a moment", async () => {
    const services: SomeServices = {
      watch: {
        async *watch() {
          yield { created: true }
          yield { watchId: 1n }
          yield { watchId: 2n }
        },
      },
    }
    const moment = deferred<void>()
    const asked: number[] = []
    const { environment } = fakeContext()
    const sleep = (ms: number) => {
      asked.push(ms)
      return moment.promise
    }
    const clock = { ...environment.clock, sleep }
    const connection = open(await serve(services, { environment: { ...environment, clock } }))
    connection.request('POST', '/v3/watch', {}, CREATE)
    await connection.readHead()
    expect(await connection.readChunk()).toContain('created')
    const { bytesRead } = connection.socket
    const second = connection.readChunk()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(connection.socket.bytesRead).toBe(bytesRead)
    moment.resolve()
    expect(await second).toContain('"watch_id":"1"')
    expect(await connection.readChunk()).toContain('"watch_id":"2"')
    expect(asked).toEqual([LIMITS.watchFirstAloneMs])
  })

  it('send a large message as one chunk', async () => {
    const value = new Uint8Array(1_500_000)
    const services: SomeServices = {
      watch: {
        async *watch() {
          yield { events: [{ kv: { value } }] }
        },
      },
    }
    const connection = open(await serve(services))
    connection.request('POST', '/v3/watch', {}, CREATE)
    await connection.readHead()
    expect((await connection.readChunk()).length).toBeGreaterThan(2_000_000)
  })

  it('read requests while they answer, and end after the last answer', async () => {
    const connection = open(await serve())
    connection.request('POST', '/v3/lease/keepalive', {}, 'open')
    connection.sendChunk('{"ID":1}')
    await connection.readHead()
    expect(await connection.readChunk()).toContain('"ID":"1"')
    connection.sendChunk('{"ID":2}{"I')
    expect(await connection.readChunk()).toContain('"ID":"2"')
    connection.sendChunk('D":3}\n')
    expect(await connection.readChunk()).toContain('"ID":"3"')
    connection.endChunks()
    expect(await connection.readChunk()).toBe('')
    connection.request('GET', '/version', {})
    expect((await connection.readAnswer()).status).toBe(200)
  })

  it.each(['', '{"ID":', '{"ID":"x"}', '[{"ID":"1"}]'])(
    'end a keep-alive of %j with nothing',
    async (body) => {
      const connection = open(await serve())
      connection.request('POST', '/v3/lease/keepalive', {}, body)
      const { status, headers } = await connection.readAnswer()
      expect(status).toBe(200)
      expect(headers.get('content-type')).toBeUndefined()
    },
  )

  it.each([
    ['', 'the body of the request creates no watch'],
    ['{}', 'the body of the request creates no watch'],
    ['{"cancel_request":{"watch_id":1}}', 'the body of the request creates no watch'],
    ['{"create_request":{"key":"', 'unexpected EOF'],
    ['hello', "invalid character 'h' looking for beginning of value"],
  ])('refuse a watch of %j, which etcd lets hang', async (body, message) => {
    const connection = open(await serve())
    connection.request('POST', '/v3/watch', {}, body)
    const answer = await connection.readAnswer()
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toEqual({ error: { code: 3, message } })
  })

  it('go on after a malformed request, and read nothing behind it', async () => {
    const requests: unknown[] = []
    const more = deferred<void>()
    const services: SomeServices = {
      watch: {
        async *watch(incoming, call) {
          for await (const { requestUnion } of incoming) {
            requests.push(requestUnion.case)
            yield { created: true }
          }
          await more.promise
          yield { watchId: 7n }
          await aborted(call)
        },
      },
    }
    const connection = open(await serve(services))
    connection.request('POST', '/v3/watch', {}, `${CREATE}garbage${CREATE}`)
    await connection.readHead()
    expect(await connection.readChunk()).toContain('created')
    more.resolve()
    expect(await connection.readChunk()).toContain('"watch_id":"7"')
    expect(requests).toEqual(['createRequest'])
  })

  it('notice at once that their client went away, idle and behind a body that nobody reads', async () => {
    const gone = deferred<unknown>()
    const services: SomeServices = {
      watch: {
        async *watch(incoming, call) {
          for await (const _ of incoming) yield { created: true }
          gone.resolve(await aborted(call))
        },
      },
    }
    const connection = open(await serve(services))
    connection.request('POST', '/v3/watch', {}, 'open')
    connection.sendChunk(`${CREATE}garbage`)
    await connection.readHead()
    connection.sendChunk('x'.repeat(200_000))
    await connection.readChunk()
    connection.close()
    expect(await gone.promise).toMatchObject({ message: 'context canceled' })
  })

  it('ask the service for no more than their client takes', async () => {
    let sent = 0
    const finished = deferred<void>()
    const services: SomeServices = {
      watch: {
        async *watch() {
          try {
            for (;;) {
              sent++
              yield { cancelReason: 'x'.repeat(100_000) }
            }
          } finally {
            finished.resolve()
          }
        },
      },
    }
    const connection = open(await serve(services))
    connection.socket.pause()
    connection.request('POST', '/v3/watch', {}, CREATE)
    await standstill(() => sent, 50)
    expect(sent).toBeLessThan(200)
    connection.close()
    await finished.promise
  })

  it('wrap an error: with its status before the first message, as the last line after it', async () => {
    const failAfter = (messages: number): SomeServices => ({
      maintenance: {
        async *snapshot() {
          for (let sent = 0; sent < messages; sent++) yield { version: '1' }
          throw new EtcdError(GrpcCode.Unavailable, 'gone')
        },
      },
    })
    const early = open(await serve(failAfter(0)))
    early.request('POST', '/v3/maintenance/snapshot', {}, '{}')
    const answer = await early.readAnswer()
    expect(answer.status).toBe(503)
    expect(answer.body).toBe('{"error":{"code":14,"message":"gone"}}\n')
    const late = open(await serve(failAfter(1)))
    late.request('POST', '/v3/maintenance/snapshot', {}, '{}')
    expect((await late.readHead()).status).toBe(200)
    expect(await late.readChunk()).toBe('{"result":{"version":"1"}}\n')
    expect(await late.readChunk()).toBe('{"error":{"code":14,"message":"gone"}}\n')
    expect(await late.readChunk()).toBe('')
  })

  it('refuse a single request like a call does', async () => {
    const connection = open(await serve())
    connection.request('POST', '/v3/maintenance/snapshot', {}, '[')
    const { status, body } = await connection.readAnswer()
    expect(status).toBe(400)
    expect(JSON.parse(body)).toMatchObject({ code: 3 })
  })

  it('end with an error at their deadline', async () => {
    const connection = open(await serve())
    connection.request('POST', '/v3/watch', { 'Grpc-Timeout': '1S' }, CREATE)
    await connection.readHead()
    expect(await connection.readChunk()).toContain('created')
    expect(await connection.readChunk()).toBe('{"error":{"code":4,"message":"context deadline exceeded"}}\n')
    expect(await connection.readChunk()).toBe('')
  })
})
