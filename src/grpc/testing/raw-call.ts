import { once } from 'node:events'
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2'

/** A call as it is on the wire, right or wrong. */
export interface RawCall {
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  /** What is sent of its requests. */
  readonly sent: readonly Uint8Array[]
  /** Its client has more to send, or seems to. */
  readonly isOpen?: boolean
}

/** How it was answered. */
export interface RawAnswer {
  readonly http: number
  readonly grpc: number
  readonly message: string
}

/** The frame of a message, with a length that may be wrong. */
export function frame(message: Uint8Array, flag = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt8(flag, 0)
  prefix.writeUInt32BE(length, 1)
  return Buffer.concat([prefix, message])
}

/** A client of HTTP/2, which knows nothing of gRPC. */
export class RawClient implements Disposable {
  readonly session: ClientHttp2Session

  constructor(host: string) {
    this.session = connect(`http://${host}`)
  }

  /** Calls, and gives the status with which the call ended. */
  async call({ path, headers, sent, isOpen = false }: RawCall): Promise<RawAnswer> {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    const answered = once(stream, 'response')
    const trailers = once(stream, 'trailers')
    trailers.catch(() => {})
    for (const piece of sent) stream.write(piece)
    if (!isOpen) stream.end()
    const [head] = await answered
    stream.resume()
    const end = 'grpc-status' in head ? head : (await trailers)[0]
    if (isOpen) stream.close()
    const message = decodeURIComponent(String(end['grpc-message']))
    return { http: Number(head[':status']), grpc: Number(end['grpc-status']), message }
  }

  [Symbol.dispose](): void {
    this.session.destroy()
  }
}
