import { deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frame, type RawCall, RawClient } from './testing/raw-call.ts'
import { MESSAGE_BYTES_MAX, ServedGrpc } from './testing/served.ts'

const RANGE = '/etcdserverpb.KV/Range'
const WATCH = '/etcdserverpb.Watch/Watch'
const SNAPSHOT = '/etcdserverpb.Maintenance/Snapshot'
const HEALTH = '/grpc.health.v1.Health/Watch'
/** A key; a watch of it; what is no message. */
const key = Buffer.from([0x0a, 1, 0x61])
const watch = Buffer.from([0x0a, 3, 0x0a, 1, 0x61])
const garbage = Buffer.from([0xff, 0xff])

const ranging = (headers: RawCall['headers'] = {}): RawCall => ({ path: RANGE, headers, sent: [frame(key)] })
const sending = (...sent: Uint8Array[]): RawCall => ({ path: RANGE, sent })
const zipped = (encoding: string, message: Uint8Array): RawCall => ({
  path: RANGE,
  headers: { 'grpc-encoding': encoding },
  sent: [frame(message, 1)],
})
const TOO_LARGE = `grpc: received message larger than max (4294967295 vs. ${MESSAGE_BYTES_MAX})`
const UNPACKED_TOO_LARGE = `grpc: received message after decompression larger than max ${MESSAGE_BYTES_MAX}`

/** As etcd 3.6.16 answers them, which was asked. */
const CALLS: readonly [what: string, call: RawCall, code: number, message: string | RegExp, http?: number][] =
  [
    ['a call', ranging(), 0, ''],
    ['with a subtype', ranging({ 'content-type': 'application/grpc+proto' }), 0, ''],
    ['with parameters', ranging({ 'content-type': 'application/grpc;charset=utf-8' }), 0, ''],
    ['no type', ranging({ 'content-type': '' }), 3, 'invalid gRPC request content-type ""', 415],
    [
      'another type',
      ranging({ 'content-type': 'application/grpc-web' }),
      3,
      'invalid gRPC request content-type "application/grpc-web"',
      415,
    ],
    [
      'another method',
      ranging({ ':method': 'PUT' }),
      13,
      'Received a HEADERS frame with :method "PUT" which should be POST',
      405,
    ],
    ['no path', { path: '/', sent: [frame(key)] }, 12, 'malformed method name: "/"'],
    ['an unknown service', { path: '/a.b/C', sent: [frame(key)] }, 12, 'unknown service a.b'],
    ['one with slashes', { path: '/a/b/C', sent: [frame(key)] }, 12, 'unknown service a/b'],
    [
      'an unknown method',
      { path: '/etcdserverpb.KV/Nope', sent: [frame(key)] },
      12,
      'unknown method Nope for service etcdserverpb.KV',
    ],
    ['no message', sending(), 2, 'EOF'],
    ['half a prefix', sending(Buffer.alloc(2)), 2, 'EOF'],
    ['half a message', sending(frame(key, 0, 10)), 2, 'unexpected EOF'],
    ['two messages', sending(frame(key), frame(key)), 0, ''],
    ['a message that doesn’t end the call', { ...sending(frame(key)), isOpen: true }, 0, ''],
    ['a message that is none', sending(frame(garbage)), 13, /^grpc: error unmarshalling request: /],
    ['a length of 4 GB', { ...sending(frame(key, 0, 0xffffffff)), isOpen: true }, 8, TOO_LARGE],
    ['another flag', sending(frame(key, 2)), 13, 'grpc: received unexpected payload format 2'],
    [
      'compressed without an encoding',
      sending(frame(key, 1)),
      13,
      'grpc: compressed flag set with identity or empty encoding',
    ],
    [
      'compressed as it is',
      zipped('identity', key),
      13,
      'grpc: compressed flag set with identity or empty encoding',
    ],
    ['gzip', zipped('gzip', gzipSync(key)), 0, ''],
    ['gzip, and not compressed', ranging({ 'grpc-encoding': 'gzip' }), 0, ''],
    ['gzip of much more', zipped('gzip', gzipSync(Buffer.alloc(900_000))), 8, UNPACKED_TOO_LARGE],
    ['gzip that is none', zipped('gzip', key), 13, /^grpc: failed to decompress the message: /],
    [
      'another encoding',
      zipped('deflate', deflateSync(key)),
      12,
      'grpc: Decompressor is not installed for grpc-encoding "deflate"',
    ],
    [
      'another encoding that isn’t used',
      ranging({ 'grpc-encoding': 'snappy' }),
      12,
      'grpc: Decompressor is not installed for grpc-encoding "snappy"',
    ],
    ['a deadline that is over', ranging({ 'grpc-timeout': '0S' }), 4, 'context deadline exceeded'],
    ['a deadline beyond all timers', ranging({ 'grpc-timeout': '2592000S' }), 0, ''],
    ['one in 11,000 years', ranging({ 'grpc-timeout': '99999999H' }), 0, ''],
    [
      'a deadline in the past',
      ranging({ 'grpc-timeout': '-1S' }),
      13,
      'malformed grpc-timeout: strconv.ParseUint: parsing "-1": invalid syntax',
      400,
    ],
    [
      'a deadline without a number',
      ranging({ 'grpc-timeout': 'S' }),
      13,
      'malformed grpc-timeout: transport: timeout string is too short: "S"',
      400,
    ],
    [
      'a deadline of too many digits',
      ranging({ 'grpc-timeout': '999999999S' }),
      13,
      'malformed grpc-timeout: transport: timeout string is too long: "999999999S"',
      400,
    ],
    [
      'a deadline without a unit',
      ranging({ 'grpc-timeout': '55' }),
      13,
      'malformed grpc-timeout: transport: timeout unit is not recognized: "55"',
      400,
    ],
    [
      'a deadline while the message is awaited',
      { path: RANGE, headers: { 'grpc-timeout': '50m' }, sent: [], isOpen: true },
      4,
      'context deadline exceeded',
    ],
    [
      'a watch’s deadline',
      { path: WATCH, headers: { 'grpc-timeout': '50m' }, sent: [frame(watch)], isOpen: true },
      4,
      'context deadline exceeded',
    ],
    [
      'a watch’s message that is none',
      { path: WATCH, sent: [frame(watch), frame(garbage)], isOpen: true },
      13,
      /^grpc: failed to unmarshal the received message: /,
    ],
    ['half a message of a watch', { path: WATCH, sent: [frame(watch, 0, 10)] }, 13, 'unexpected EOF'],
    [
      'a length of 4 GB in a watch',
      { path: WATCH, sent: [frame(watch), frame(watch, 0, 0xffffffff)], isOpen: true },
      8,
      TOO_LARGE,
    ],
    [
      'no message for a stream',
      { path: SNAPSHOT, sent: [] },
      13,
      'cardinality violation: received no request message from non-client-streaming RPC',
    ],
    [
      'two messages for a stream',
      { path: HEALTH, sent: [frame(Buffer.alloc(0)), frame(Buffer.alloc(0))] },
      13,
      'cardinality violation: received multiple request messages for non-client-streaming RPC',
    ],
  ]

describe('what a client sends over gRPC is answered in Go’s words', () => {
  let served: ServedGrpc
  let client: RawClient
  beforeAll(async () => {
    served = await ServedGrpc.start()
    client = new RawClient(served.host)
  })
  afterAll(async () => {
    client[Symbol.dispose]()
    await served.stop()
  })

  it.each(CALLS)('%s', async (_what, call, grpc, message, http = 200) => {
    expect(await client.call(call)).toEqual({
      http,
      grpc,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
    // And the connection goes on.
    expect(await client.call(ranging())).toEqual({ http: 200, grpc: 0, message: '' })
  })
})
