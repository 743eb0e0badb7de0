/** WebSocket on node:http, by the `ws` library. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import type { Clock } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { BodyBudget } from '../../rpc/body-budget.ts'
import type { RpcRequest } from '../../rpc/request.ts'
import { STREAM_ENDED } from '../../rpc/stream-call.ts'
import type { Context } from '../context.ts'
import { headerReader } from '../node-http.ts'
import { queryOf, targetOf } from '../target.ts'
import { FrameQueue } from './frame-queue.ts'
import { acceptedProtocol, mayConnect, webSocketRpc } from './handshake.ts'
import { type Connection, serveSession } from './session.ts'

/** The connections of a server, and how they end. */
export interface WebSockets {
  /** Serves a request that wants a WebSocket where there is one. Gives false for any other, and leaves it untouched. */
  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /** Ends every connection cleanly, and those that come later at once. */
  end(): void
}

/** Pings without a sign of life after which a client is gone: one large frame may keep a slow one busy for some time. */
const SILENT_PINGS_MAX = 2

/** What a client's ping or pong takes beside its payload. */
const CONTROL_HEADER_BYTES = 6

/** The types don't know the timeout yet. */
const OPTIONS: ServerOptions & { readonly closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: LIMITS.bodyBytesMax,
  maxFragments: LIMITS.webSocketPiecesMax,
  maxBufferedChunks: LIMITS.webSocketPiecesMax,
  handleProtocols: (_, incoming) => acceptedProtocol(headerReader(incoming)) ?? false,
  closeTimeout: LIMITS.webSocketCloseMs,
}

export function createWebSockets(context: Context): WebSockets {
  const open = new Set<NodeConnection>()
  let stopping = false
  const server = new WebSocketServer({
    ...OPTIONS,
    verifyClient: ({ req }, answer) => answer(mayConnect(context.origins, headerReader(req)), 403),
  })
  return {
    upgrade(incoming, socket, head) {
      const rpc = webSocketRpc(incoming.method, targetOf(incoming.url ?? ''), headerReader(incoming))
      if (rpc === undefined) return false
      server.handleUpgrade(incoming, socket, head, (webSocket) => {
        const connection = new NodeConnection(webSocket, incoming, context.environment.clock)
        open.add(connection)
        webSocket.once('close', () => open.delete(connection))
        if (stopping) connection.end(STREAM_ENDED)
        void serveSession(rpc, connection, connection, context)
      })
      return true
    },
    end() {
      stopping = true
      for (const connection of open) connection.end(STREAM_ENDED)
    },
  }
}

/** One connection, and the handshake that it began with. */
class NodeConnection implements Connection, RpcRequest {
  readonly header: RpcRequest['header']
  readonly query: string
  readonly frames: FrameQueue
  readonly #webSocket: WebSocket
  readonly #controller = new AbortController()
  /** Bytes of a frame that isn't complete. */
  readonly #receiving = new BodyBudget()
  #silentPings = 0

  constructor(webSocket: WebSocket, incoming: IncomingMessage, clock: Clock) {
    this.header = headerReader(incoming)
    this.query = queryOf(incoming.url ?? '')
    this.#webSocket = webSocket
    this.frames = new FrameQueue({ pause: () => webSocket.pause(), resume: () => webSocket.resume() })
    webSocket.on('message', (data: Buffer) => {
      this.#receiving.release()
      this.frames.push(data)
    })
    // Pings and pongs come between frames, or between the pieces of one, and nobody holds them.
    for (const sign of ['ping', 'pong'] as const) {
      webSocket.on(sign, (data) => this.#receiving.giveBack(CONTROL_HEADER_BYTES + data.byteLength))
    }
    webSocket.once('close', () => {
      this.#receiving.release()
      this.end(EtcdError.of('Canceled'))
    })
    // What breaks the protocol ends the connection, with the code that says how; there is nobody else to tell.
    webSocket.on('error', () => {})
    // Before the library's own listener, so that a complete frame is released after it was counted.
    incoming.socket.prependListener('data', (chunk: Buffer) => this.#received(chunk.byteLength))
    void this.#ping(clock)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Ends what the connection is for. Only the first reason counts. */
  end(reason: EtcdError): void {
    this.#controller.abort(reason)
  }

  send(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#webSocket.send(text, (error) => {
        if (error) this.end(EtcdError.of('Canceled', error))
        this.#silentPings = 0
        resolve()
      })
    })
  }

  close(code: number): void {
    this.#webSocket.close(code)
  }

  #received(bytes: number): void {
    this.#silentPings = 0
    try {
      this.#receiving.take(bytes)
    } catch (thrown) {
      if (!(thrown instanceof EtcdError)) throw thrown
      this.end(thrown)
    }
  }

  /** Notices a client that has gone without a word, and keeps proxies from thinking so of one that is there. */
  async #ping(clock: Clock): Promise<void> {
    const closed = new AbortController()
    this.#webSocket.once('close', () => closed.abort())
    for (;;) {
      await clock.sleep(LIMITS.webSocketPingMs, closed.signal)
      if (closed.signal.aborted) return
      if (this.#silentPings === SILENT_PINGS_MAX) this.#webSocket.terminate()
      else this.#webSocket.ping()
      this.#silentPings++
    }
  }
}
