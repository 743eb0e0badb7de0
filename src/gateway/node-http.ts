/** Reading requests and writing answers on node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import type { HeaderReader, RpcRequest } from '../rpc/request.ts'
import { type Answer, SERVER_HEADER } from './answer.ts'
import { BodyBuffer } from './body.ts'

/** Of a header that came several times it gives the first. */
export function headerReader(incoming: IncomingMessage): HeaderReader {
  return (name) => {
    const value = incoming.headers[name]
    return Array.isArray(value) ? value[0] : value
  }
}

/** Reads a whole body. Fails with ResourceExhausted when it is too large, Canceled when it breaks off. */
export function readIncoming(incoming: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const buffer = new BodyBuffer(bytesMax)
    const timeout = setTimeout(() => incoming.destroy(), LIMITS.bodyTimeoutMs)
    incoming.on('data', (chunk: Uint8Array) => {
      try {
        buffer.push(chunk)
      } catch (error) {
        // The rest is still taken off the wire, so that the client comes to read its answer.
        reject(error)
      }
    })
    incoming.on('end', () => {
      resolve(buffer.bytes())
      buffer.release()
    })
    incoming.on('error', (cause) => reject(EtcdError.of('Canceled', cause)))
    incoming.on('close', () => {
      clearTimeout(timeout)
      buffer.release()
      if (!incoming.complete) reject(EtcdError.of('Canceled'))
    })
  })
}

/** The body as it arrives. What is left when the reader stops is thrown away as it comes. */
export async function* chunksOf(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
  } catch (thrown) {
    throw EtcdError.of('Canceled', thrown)
  } finally {
    // A paused connection doesn't notice that its client goes away.
    incoming.resume()
  }
}

/**
 * After the answer of a stream: what is left of a body that nobody reads any more would stand before the connection's
 * next request. It is thrown away if it ends soon; otherwise, or if this was the `last` answer, the connection ends.
 */
export function closeRequest(incoming: IncomingMessage, last: boolean): void {
  if (last) incoming.socket.destroySoon()
  if (last || incoming.complete) return
  const timeout = setTimeout(() => incoming.socket.destroySoon(), LINGER_MS)
  incoming.once('close', () => clearTimeout(timeout))
  incoming.resume()
}

const LINGER_MS = 1000

/** The request for the HTTP application. A body that nobody reads there is thrown away; one that is read has `bodyBytesMax` at most. */
export function toRequest(
  request: RpcRequest & { incoming: IncomingMessage; target: string },
  bodyBytesMax: number,
): Request {
  const { incoming, target, signal } = request
  const { method = 'GET' } = incoming
  const headers = new Headers()
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  // Not relative to a base: a target that begins with two slashes would name another host.
  const url = new URL(`http://localhost${target}`)
  if (!METHODS.has(method)) return new Request(url, { method: OTHER_METHOD, headers, signal })
  if (!METHODS_WITH_BODIES.has(method)) return new Request(url, { method, headers, signal })
  const body = bodyWhenRead(incoming, bodyBytesMax)
  return new Request(url, { method, headers, signal, body, duplex: 'half' })
}

/** fetch refuses to know some methods. No path has any but these, so that all others get the same answers. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])
const METHODS_WITH_BODIES = new Set(['POST', 'PUT'])
const OTHER_METHOD = 'PATCH'

/** The whole body in one piece, received when it is asked for. */
function bodyWhenRead(incoming: IncomingMessage, bytesMax: number): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        controller.enqueue(await readIncoming(incoming, bytesMax))
        controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

/**
 * Writes the answer of an RPC, with the headers that let a page read it; the `last` of a connection closes it. Ends
 * early when the client has gone.
 */
export async function sendAnswer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { status, headers, body }: Answer,
  cors: Readonly<Record<string, string>>,
  last: boolean,
): Promise<void> {
  const lines: string[] = [...SERVER_HEADER_LINES]
  for (const name in cors) lines.push(name, cors[name] ?? '')
  for (const name in headers) lines.push(name, headers[name] ?? '')
  settleConnection(incoming, outgoing, last)
  if (typeof body === 'string') {
    const bytes = Buffer.byteLength(body)
    lines.push('Content-Length', String(bytes))
    outgoing.writeHead(status, lines)
    // Nearly every answer is ASCII, which Latin-1 writes without looking at each character.
    outgoing.end(body, bytes === body.length ? 'latin1' : 'utf8')
  } else if (body instanceof Uint8Array) {
    lines.push('Content-Length', String(body.byteLength))
    outgoing.writeHead(status, lines)
    outgoing.end(body)
  } else {
    outgoing.writeHead(status, lines)
    await sendPieces(outgoing, body)
  }
}

/** Writes an answer of the HTTP application. */
export async function sendResponse(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: Response,
  last: boolean,
): Promise<void> {
  settleConnection(incoming, outgoing, last)
  outgoing.writeHead(response.status, [...response.headers].flat())
  if (response.body === null) outgoing.end()
  else await sendPieces(outgoing, response.body)
}

const SERVER_HEADER_LINES = Object.entries(SERVER_HEADER).flat()

function settleConnection(incoming: IncomingMessage, outgoing: ServerResponse, last: boolean): void {
  if (last) outgoing.shouldKeepAlive = false
  // A connection of HTTP/1.1 persists without a word about it, as with Go.
  else if (outgoing.shouldKeepAlive && incoming.httpVersion === '1.1') outgoing.removeHeader('connection')
}

/** Each piece goes out as one chunk, and the next is asked for when the client has taken enough of the last. */
async function sendPieces(
  outgoing: ServerResponse,
  pieces: AsyncIterable<string | Uint8Array>,
): Promise<void> {
  for await (const piece of pieces) {
    if (outgoing.destroyed) return
    if (!outgoing.write(piece)) await drained(outgoing)
  }
  outgoing.end()
}

/** Resolves when the client has taken enough, or is gone. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.once('drain', done)
    outgoing.once('close', done)
    if (outgoing.destroyed) done()
  })
}
