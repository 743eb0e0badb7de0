import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import { standstill } from '../gateway/testing/standstill.ts'
import { frame, RawClient } from './testing/raw-call.ts'
import { ServedGrpc } from './testing/served.ts'

const RANGE = '/etcdserverpb.KV/Range'
const WATCH = '/etcdserverpb.Watch/Watch'
const HEADERS = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
const key = Buffer.from([0x0a, 1, 0x61])
const watch = Buffer.from([0x0a, 3, 0x0a, 1, 0x61])

/** How HTTP/2 begins: its preface, and settings that say nothing. */
const BEGINNING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])

const nodeMajor = Number(process.versions.node.split('.')[0])

/** Something that a test waits for. */
function happening() {
  let happened = () => {}
  const seen = new Promise<void>((resolve) => {
    happened = resolve
  })
  return { seen, happened }
}

describe('a connection over gRPC', () => {
  it('is ended when its client doesn’t answer pings, and goes on when it does', async () => {
    await using served = await ServedGrpc.start({}, { keepaliveIntervalMs: 30, keepaliveTimeoutMs: 2_000 })
    const [address = '', port] = served.host.split(':')
    const silent = connect(Number(port), address)
    silent.write(BEGINNING)
    silent.resume()
    using client = new RawClient(served.host)
    const pinged = once(client.session, 'ping')
    await once(silent, 'close')
    await pinged
    expect((await client.call({ path: RANGE, sent: [frame(key)] })).grpc).toBe(0)
  })

  it('may have no more calls at a time than the server wants', async () => {
    await using served = await ServedGrpc.start({}, { streamsMax: 2 })
    using client = new RawClient(served.host)
    await once(client.session, 'remoteSettings')
    expect(client.session.remoteSettings.maxConcurrentStreams).toBe(2)
  })

  it('when the server stops, finishes the calls that have begun, and takes no others', async () => {
    const { seen: asked, happened } = happening()
    const { seen: answered, happened: answer } = happening()
    await using served = await ServedGrpc.start({
      kv: {
        range: async () => {
          happened()
          await answered
          return { header: { revision: 5n } }
        },
      },
    })
    using client = new RawClient(served.host)
    const goaway = once(client.session, 'goaway')
    const call = client.call({ path: RANGE, sent: [frame(key)] })
    await asked
    const stopped = served.stop()
    const [code] = await goaway
    expect(code).toBe(0)
    answer()
    expect((await call).grpc).toBe(0)
    await stopped
  })

  // Before, Node's limit can't be set.
  it.skipIf(nodeMajor < 24)('outlives any number of calls that are cancelled', async () => {
    await using served = await ServedGrpc.start()
    using client = new RawClient(served.host)
    for (let i = 0; i < 3_000; i++) {
      const stream = client.session.request({ ...HEADERS, ':path': WATCH })
      stream.on('error', () => {})
      stream.write(frame(watch))
      await once(stream, 'response')
      stream.close(8)
    }
    expect((await client.call({ path: RANGE, sent: [frame(key)] })).grpc).toBe(0)
  })

  it('that is cut ends what its calls wait for', async () => {
    const { seen, happened } = happening()
    await using served = await ServedGrpc.start({
      kv: {
        range: async (_request, { signal }) => {
          client.session.destroy()
          await once(signal, 'abort')
          happened()
          throw EtcdError.of('Canceled')
        },
      },
    })
    using client = new RawClient(served.host)
    client.session.on('error', () => {})
    const stream = client.session.request({ ...HEADERS, ':path': RANGE })
    stream.on('error', () => {})
    stream.end(frame(key))
    await seen
  })
})

describe('a call over gRPC', () => {
  it('that is cancelled ends, though what its client sent was never read', async () => {
    const { seen: begun, happened } = happening()
    let ended: Promise<unknown> | undefined
    await using served = await ServedGrpc.start({
      watch: {
        async *watch(_requests, { signal }) {
          ended = once(signal, 'abort')
          happened()
          yield { created: true }
          await ended
        },
      },
    })
    using client = new RawClient(served.host)
    const stream = client.session.request({ ...HEADERS, ':path': WATCH })
    stream.on('error', () => {})
    for (let i = 0; i < 10_000; i++) stream.write(frame(watch))
    await begun
    stream.close(8)
    await ended
  })

  it('whose client sends and sends, and reads nothing, isn’t read from without end', async () => {
    let read = 0
    await using served = await ServedGrpc.start({
      lease: {
        async *leaseKeepAlive(requests) {
          for await (const { ID } of requests) {
            read++
            yield { ID }
          }
        },
      },
    })
    using client = new RawClient(served.host)
    const stream = client.session.request({ ...HEADERS, ':path': '/etcdserverpb.Lease/LeaseKeepAlive' })
    stream.on('error', () => {})
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => frame(Buffer.from([8, 5]))))
    for (let i = 0; i < 100; i++) stream.write(many)
    await standstill(() => read, 200)
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(100_000)
    stream.close(8)
  })
})
