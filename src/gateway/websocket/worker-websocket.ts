/** WebSocket in workerd. */
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { RpcRequest } from '../../rpc/request.ts'
import { STREAM_ENDED } from '../../rpc/stream-call.ts'
import { toResponse } from '../answer.ts'
import type { Context } from '../context.ts'
import { errorAnswer } from '../errors.ts'
import { toRpcRequest } from '../fetch.ts'
import { targetOf } from '../target.ts'
import { FrameQueue } from './frame-queue.ts'
import { acceptedProtocol, mayConnect, webSocketRpc } from './handshake.ts'
import { CLOSE, type Connection, serveSession } from './session.ts'

/** What of workerd's WebSocket is used. */
interface WorkerSocket {
  binaryType: 'arraybuffer' | 'blob'
  accept(): void
  send(text: string): void
  close(code: number): void
  addEventListener(type: 'message', listener: (event: { data: string | ArrayBuffer }) => void): void
  addEventListener(type: 'close' | 'error', listener: () => void): void
}

/** The two ends of a connection: the client's and ours. */
declare const WebSocketPair: new () => { readonly 0: WorkerSocket; readonly 1: WorkerSocket }

/** The answer to a handshake, and when the connection has ended. */
export interface Upgraded {
  readonly response: Response
  readonly ended: Promise<void>
}

/** Serves a request that wants a WebSocket where there is one; gives undefined for any other. */
export function upgradeInWorker(request: Request, context: Context): Upgraded | undefined {
  const handshake = toRpcRequest(request)
  const rpc = webSocketRpc(request.method, targetOf(request.url), handshake.header)
  if (rpc === undefined) return undefined
  if (!mayConnect(context.origins, handshake.header)) {
    return { response: toResponse(errorAnswer(EtcdError.of('PermissionDenied'))), ended: Promise.resolve() }
  }
  const { 0: client, 1: server } = new WebSocketPair()
  const connection = new WorkerConnection(server, handshake)
  const ended = serveSession(rpc, connection, connection, context)
  const protocol = acceptedProtocol(handshake.header)
  const headers = protocol === undefined ? {} : { 'Sec-WebSocket-Protocol': protocol }
  const init = { status: 101, headers, webSocket: client }
  return { response: new Response(null, init), ended }
}

const encoder = new TextEncoder()

/** One connection, and the handshake that it began with. */
class WorkerConnection implements Connection, RpcRequest {
  readonly header: RpcRequest['header']
  readonly query: string
  readonly frames: FrameQueue
  readonly #socket: WorkerSocket
  readonly #controller = new AbortController()
  #sentLength = 0
  #open = true

  constructor(socket: WorkerSocket, { header, query }: RpcRequest) {
    this.header = header
    this.query = query
    this.#socket = socket
    // Frames come whether or not they are read.
    this.frames = new FrameQueue({ pause() {}, resume() {} })
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }) => this.#receive(data))
    const gone = () => {
      this.#open = false
      this.#controller.abort(EtcdError.of('Canceled'))
    }
    socket.addEventListener('close', gone)
    socket.addEventListener('error', gone)
    socket.accept()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * The runtime keeps what the client hasn't taken yet, and doesn't say how much that is. So a connection is bounded
   * as a whole: it ends cleanly, and its client opens the next one from the revision after the last that it saw.
   */
  async send(text: string): Promise<void> {
    if (!this.#open) return
    this.#socket.send(text)
    this.#sentLength += text.length
    if (this.#sentLength > LIMITS.webSocketWorkerBytesMax) this.#controller.abort(STREAM_ENDED)
  }

  close(code: number): void {
    if (!this.#open) return
    this.#open = false
    this.#socket.close(code)
  }

  #receive(data: string | ArrayBuffer): void {
    const frame = typeof data === 'string' ? encoder.encode(data) : new Uint8Array(data)
    if (frame.byteLength <= LIMITS.bodyBytesMax) {
      this.frames.push(frame)
    } else {
      this.close(CLOSE.frameTooLarge)
      this.#controller.abort(EtcdError.of('Canceled'))
    }
  }
}
