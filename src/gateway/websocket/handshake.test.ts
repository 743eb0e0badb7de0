import { describe, expect, it } from 'vitest'
import type { RpcRequest } from '../../rpc/request.ts'
import { acceptedProtocol, mayConnect, readWebSocketToken, webSocketRpc } from './handshake.ts'

const reader = (headers: Readonly<Record<string, string>>) => (name: string) => headers[name]
const WANTED = { upgrade: 'websocket' }

describe('a WebSocket is there', () => {
  it.each(['/v3/watch', '/v3/lease/keepalive', '/v3/election/observe', '/v3beta/watch', '/v3/watch?a=b'])(
    'on %s',
    (target) => {
      expect(webSocketRpc('GET', target, reader(WANTED))?.kind).toBe('stream')
      expect(webSocketRpc('GET', target, reader({ upgrade: 'WebSocket' }))?.kind).toBe('stream')
      expect(webSocketRpc('POST', target, reader(WANTED))).toBeUndefined()
      expect(webSocketRpc('GET', target, reader({}))).toBeUndefined()
      expect(webSocketRpc('GET', target, reader({ upgrade: 'h2c' }))).toBeUndefined()
    },
  )

  it.each([
    '/v3/kv/range',
    '/v3/maintenance/snapshot',
    '/v3/watch/',
    '/v3//watch',
    '/v3/nothing',
    '/version',
    '/keys/v3/watch',
    '/%',
  ])('not on %s', (target) => {
    expect(webSocketRpc('GET', target, reader(WANTED))).toBeUndefined()
  })
})

describe('a page', () => {
  const host = 'etcd.example:2379'
  it.each([
    [['*'], 'https://evil.example', true],
    [['https://a.example'], 'https://a.example', true],
    [['https://a.example'], 'https://a.example.evil', false],
    [['https://a.example'], 'http://a.example', false],
    [['https://a.example'], 'null', false],
    [['https://a.example'], 'https://etcd.example:2379', true],
    [['https://a.example'], 'https://etcd.example', false],
    [[], undefined, true],
  ])('with %j allowed, of %s: %s', (origins, origin, expected) => {
    expect(mayConnect(origins, reader({ host, ...(origin && { origin }) }))).toBe(expected)
  })
})

describe('the token', () => {
  const request = (headers: Readonly<Record<string, string>>): RpcRequest => ({
    header: reader(headers),
    query: '',
    signal: new AbortController().signal,
  })

  it.each([
    [{ 'sec-websocket-protocol': 'Bearer, abc.1' }, 'abc.1'],
    [{ 'sec-websocket-protocol': 'Bearer,abc.1' }, 'abc.1'],
    [{ 'sec-websocket-protocol': 'Bearer, abc.1', authorization: 'def.2' }, 'abc.1'],
    [{ 'sec-websocket-protocol': 'Bearer', authorization: 'def.2' }, 'def.2'],
    [{ 'sec-websocket-protocol': 'chat, abc.1' }, undefined],
    [{ authorization: 'Bearer def.2' }, 'def.2'],
    [{ 'grpc-metadata-token': 'def.2' }, 'def.2'],
    [{ cookie: 'token=abc.1' }, undefined],
    [{}, undefined],
  ])('of %j is %s', (headers, token) => {
    expect(readWebSocketToken(request(headers))).toBe(token)
  })

  it.each([
    ['Bearer, abc.1', 'Bearer'],
    ['Bearer', 'Bearer'],
    ['chat', undefined],
    ['bearer, abc.1', undefined],
  ])('to %s the server agrees with %s', (asked, accepted) => {
    expect(acceptedProtocol(reader({ 'sec-websocket-protocol': asked }))).toBe(accepted)
  })
})
