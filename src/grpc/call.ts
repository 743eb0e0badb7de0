import type { ServerHttp2Stream } from 'node:http2'
import { EtcdError } from '../etcd/errors.ts'
import type { HeaderReader, RpcRequest } from '../rpc/request.ts'
import type { Rpc } from '../rpc/rpcs.ts'
import { TIMER_MAX_MS } from '../rpc/timer.ts'
import type { CallHeaders } from './headers.ts'
import { Reply } from './reply.ts'
import { Requests } from './requests.ts'

/** The calls that a server has open, so that it can end them. */
export class OpenCalls {
  readonly #calls = new Set<GrpcCall>()

  add(call: GrpcCall): void {
    this.#calls.add(call)
  }

  delete(call: GrpcCall): void {
    this.#calls.delete(call)
  }

  /** Ends those that have no end of their own. */
  endStreams(reason: EtcdError): void {
    for (const call of this.#calls) if (call.rpc.kind === 'stream' && !call.rpc.isFinite) call.end(reason)
  }

  endAll(reason: EtcdError): void {
    for (const call of this.#calls) call.end(reason)
  }
}

/** One call: what its client asks, what it is told, and for how long it lives. */
export class GrpcCall implements RpcRequest {
  readonly rpc: Rpc
  readonly query = ''
  readonly header: HeaderReader
  readonly certificateName: string | undefined
  readonly requests: Requests
  readonly reply: Reply
  readonly #deadline: NodeJS.Timeout | undefined
  /** Made when somebody asks for its signal: most calls end without that. */
  #ending: AbortController | undefined
  #ended: EtcdError | undefined
  #isClosed = false

  constructor(
    rpc: Rpc,
    stream: ServerHttp2Stream,
    { header, encoding, timeoutMs }: CallHeaders,
    messageBytesMax: number,
    certificateName: string | undefined,
  ) {
    this.rpc = rpc
    this.header = header
    this.certificateName = certificateName
    this.requests = new Requests(stream, encoding, messageBytesMax)
    this.reply = new Reply(stream)
    // An error is dear to make, and every stream closes.
    const canceled = () => {
      if (!this.#isClosed) this.end(EtcdError.of('Canceled'))
    }
    // The first comes at once, the second when what it sent was read.
    stream.once('aborted', canceled)
    stream.once('close', canceled)
    // A deadline further ahead than that is its client's to mind.
    if (timeoutMs !== undefined && timeoutMs <= TIMER_MAX_MS) {
      this.#deadline = setTimeout(() => this.#expire(), timeoutMs)
    }
  }

  /** Aborts when nobody waits for the answer any more, with the reason. */
  get signal(): AbortSignal {
    if (this.#ending === undefined) {
      this.#ending = new AbortController()
      if (this.#ended !== undefined) this.#ending.abort(this.#ended)
    }
    return this.#ending.signal
  }

  /** Tells whoever works on the answer that nobody waits for it. */
  end(reason: EtcdError): void {
    if (this.#isClosed) return
    this.#ended ??= reason
    this.#ending?.abort(reason)
  }

  /** It has been answered. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#deadline)
    this.requests.release()
  }

  #expire(): void {
    const reason = EtcdError.of('DeadlineExceeded')
    this.end(reason)
    this.reply.end(reason)
    // Its request may still be awaited.
    this.requests.release()
  }
}
