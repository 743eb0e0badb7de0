import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { EtcdError } from '../etcd/errors.ts'
import { frameOf } from './frames.ts'

const HEADERS: OutgoingHttpHeaders = { ':status': 200, 'content-type': 'application/grpc' }
const OK: OutgoingHttpHeaders = { 'grpc-status': 0, 'grpc-message': '' }

/** The answer of one call: any number of messages, and a status. Whatever is sent to a client that has gone is dropped. */
export class Reply {
  readonly #stream: ServerHttp2Stream
  #status = OK
  #ended = false

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
  }

  get #isOver(): boolean {
    return this.#ended || this.#stream.closed || this.#stream.destroyed
  }

  /** Sends a message. False when its client should read some of them first: see `drained`. */
  send(message: Uint8Array): boolean {
    if (this.#isOver) return true
    this.#begin()
    return this.#stream.write(frameOf(message))
  }

  /** Resolves when the client has read what was sent. Never, when it goes away before that. */
  async drained(): Promise<void> {
    if (this.#stream.writableNeedDrain) await once(this.#stream, 'drain')
  }

  /** Sends a message, and that it was the last. */
  sendLast(message: Uint8Array): void {
    if (this.#isOver) return
    this.#ended = true
    this.#begin()
    this.#stream.end(frameOf(message))
  }

  /** Ends it, as a success unless there is an error. */
  end(error?: EtcdError, httpStatus = 200): void {
    if (this.#isOver) return
    this.#ended = true
    if (error !== undefined) this.#status = statusOf(error)
    if (this.#stream.headersSent) this.#stream.end()
    else this.#stream.respond({ ...HEADERS, ':status': httpStatus, ...this.#status }, { endStream: true })
  }

  #begin(): void {
    if (this.#stream.headersSent) return
    this.#stream.respond(HEADERS, { waitForTrailers: true })
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(this.#status))
  }
}

function statusOf({ code, message }: EtcdError): OutgoingHttpHeaders {
  return { 'grpc-status': code, 'grpc-message': percentEncoded(message) }
}

/** gRPC's: what is no printable ASCII, and the percent sign. */
function percentEncoded(text: string): string {
  return text.replace(/[^ -$&-~]+/g, (run) =>
    [...Buffer.from(run)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}
