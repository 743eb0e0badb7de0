import type { Metadata } from '@grpc/grpc-js'
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context'
import { EtcdError } from '../etcd/errors.ts'
import type { RpcRequest } from '../rpc/request.ts'
import type { Rpc } from '../rpc/rpcs.ts'

/** What every call of gRPC's library has. */
export interface Surface {
  readonly metadata: Metadata
  readonly cancelled: boolean
  getAuthContext(): AuthContext
  on(event: 'cancelled', listener: () => void): unknown
}

/** The calls that a server has open, so that it can end them. */
export class OpenCalls {
  readonly #calls = new Set<GrpcCall>()
  readonly #certificatesNameUsers: boolean

  constructor(certificatesNameUsers = false) {
    this.#certificatesNameUsers = certificatesNameUsers
  }

  /** Opens a call. It closes when its client cancels it, its deadline is over, or `close` is called. */
  open(rpc: Rpc, call: Surface): GrpcCall {
    const name = this.#certificatesNameUsers ? commonNameOf(call) : undefined
    const opened = new GrpcCall(rpc, call, name, () => this.#calls.delete(opened))
    this.#calls.add(opened)
    return opened
  }

  /** Ends those that have no end of their own. */
  endStreams(reason: EtcdError): void {
    for (const call of this.#calls) if (call.rpc.kind === 'stream' && !call.rpc.isFinite) call.end(reason)
  }

  endAll(reason: EtcdError): void {
    for (const call of this.#calls) call.end(reason)
  }
}

/** One call, as the services' callers want it. */
export class GrpcCall implements RpcRequest {
  readonly rpc: Rpc
  readonly query = ''
  readonly certificateName: string | undefined
  readonly #metadata: Metadata
  readonly #ending = new AbortController()
  readonly #closed: () => void
  #isOpen = true

  constructor(rpc: Rpc, call: Surface, certificateName: string | undefined, closed: () => void) {
    this.rpc = rpc
    this.certificateName = certificateName
    this.#metadata = call.metadata
    this.#closed = closed
    // Also when the deadline is over, whose client is told so by gRPC itself; and after every call that was answered.
    call.on('cancelled', () => {
      if (this.#isOpen) this.end(EtcdError.of('Canceled'))
    })
    if (call.cancelled) this.end(EtcdError.of('Canceled'))
  }

  /** Aborts when nobody waits for the answer any more, with the reason. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  /** The metadata by the names that the gateway gives them; gRPC minds the deadline itself. */
  readonly header = (name: string): string | undefined => {
    if (name === 'grpc-timeout') return undefined
    const [value] = this.#metadata.get(name.replace(/^grpc-metadata-/, ''))
    return value === undefined ? undefined : String(value)
  }

  end(reason: EtcdError): void {
    this.#ending.abort(reason)
    this.close()
  }

  /** It has been answered. */
  close(): void {
    this.#isOpen = false
    this.#closed()
  }
}

function commonNameOf(call: Surface): string | undefined {
  const name = call.getAuthContext().sslPeerCertificate?.subject.CN
  // Of several the last, which is Go's.
  return Array.isArray(name) ? name.at(-1) : name
}
