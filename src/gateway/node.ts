/**
 * The gateway on node:http. RPCs, which are nearly all of the traffic, go from the socket to their handler without a
 * fetch Request or Response in between; everything else goes through the HTTP application.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { EtcdError } from '../etcd/errors.ts'
import { toEtcdError } from '../rpc/failure.ts'
import type { HeaderReader, RpcRequest } from '../rpc/request.ts'
import { isEndless, type Rpc } from '../rpc/rpcs.ts'
import { STREAM_ENDED } from '../rpc/stream-call.ts'
import type { Answer } from './answer.ts'
import { createApp, type Serves } from './app.ts'
import { bodyBytesMaxOf } from './body.ts'
import type { Context } from './context.ts'
import { corsHeaders } from './cors.ts'
import { errorAnswer } from './errors.ts'
import { preferredWait } from './long-poll-query.ts'
import { methodOf } from './method.ts'
import { refuseHost } from './node-host.ts'
import {
  chunksOf,
  closeRequest,
  headerReader,
  readIncoming,
  sendAnswer,
  sendResponse,
  toRequest,
} from './node-http.ts'
import { ROUTES, rpcFor } from './routes.ts'
import { answerStream } from './stream.ts'
import { queryOf, readTarget, targetOf } from './target.ts'
import { answerUnary } from './unary.ts'
import { answerWithoutUpgrade, untilAnswered } from './websocket/node-upgrade.ts'
import { createWebSockets } from './websocket/node-websocket.ts'

/** The listeners of a server, and the two steps by which what it is doing comes to an end. */
export interface Gateway {
  readonly listener: RequestListener
  /** What the server hands over because its client wants another protocol on the connection. */
  upgrade(server: Server, incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
  /** Ends every stream cleanly that has no end of its own. From now on no connection outlives its answer. */
  endStreams(): void
  /** Gives up what still waits: its clients are told that the server has stopped. */
  endCalls(): void
}

export function createGateway(context: Context, serves: Serves = 'all'): Gateway {
  const app = createApp(serves)
  const webSockets = createWebSockets(context)
  const open = new Set<NodeRequest>()
  const bodyBytesMax = bodyBytesMaxOf(context)
  let stopping = false

  const send = ({ incoming, outgoing, header }: NodeRequest, answer: Answer) =>
    sendAnswer(incoming, outgoing, answer, corsHeaders(context.origins, header), stopping)

  // etcd serves its metrics to whatever name they are asked for by, on the listeners that have nothing else.
  const refuse = (incoming: IncomingMessage) =>
    serves === 'all' ? refuseHost(context.hosts, incoming) : undefined

  const answer = async (request: NodeRequest): Promise<void> => {
    const { incoming, outgoing, rpc, target } = request
    const refused = refuse(incoming)
    if (refused !== undefined) {
      await sendAnswer(incoming, outgoing, refused, {}, stopping)
    } else if (rpc?.kind === 'unary') {
      const body = await readIncoming(incoming, bodyBytesMax)
      await send(request, await answerUnary(rpc, request, body, context))
    } else if (rpc?.kind === 'stream') {
      await send(request, await answerStream(rpc, request, chunksOf(incoming), context))
      closeRequest(incoming, stopping)
    } else {
      const response = await app.fetch(toRequest(request, bodyBytesMax), { context, target })
      await sendResponse(incoming, outgoing, response, stopping)
      if (stopping) closeRequest(incoming, true)
    }
  }

  const listener: RequestListener = (incoming, outgoing) => {
    const request = new NodeRequest(incoming, outgoing, serves)
    open.add(request)
    outgoing.once('close', () => {
      open.delete(request)
      if (!outgoing.writableFinished) request.end(EtcdError.of('Canceled'))
    })
    answer(request)
      .catch(async (thrown: unknown) => {
        const failed = errorAnswer(toEtcdError(thrown, context.environment.log))
        if (outgoing.headersSent) outgoing.destroy()
        else await send(request, failed)
      })
      .catch((thrown: unknown) => {
        toEtcdError(thrown, context.environment.log)
        outgoing.destroy()
      })
  }

  return {
    listener,
    async upgrade(server, incoming, socket, head) {
      const before = [...open].filter((request) => request.incoming.socket === socket)
      if (before.length > 0) {
        await untilAnswered(
          socket,
          before.map(({ outgoing }) => outgoing),
        )
        if (socket.destroyed) return
      }
      const isServed = serves === 'all' && refuse(incoming) === undefined
      const upgraded = isServed && webSockets.upgrade(incoming, socket, head)
      if (!upgraded) answerWithoutUpgrade(server, incoming, socket, head)
    },
    endStreams() {
      stopping = true
      webSockets.end()
      for (const request of open) if (request.hasToBeEnded) request.end(STREAM_ENDED)
    },
    endCalls() {
      for (const request of open) request.end(EtcdError.of('Stopped'))
    },
  }
}

/** One request on its way. */
class NodeRequest implements RpcRequest {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** The request target, in origin form. */
  readonly target: string
  /** The RPC that it calls, unless it asks for something beside the RPC: another method, a long poll. */
  readonly rpc: Rpc | undefined
  readonly header: HeaderReader
  #controller: AbortController | undefined
  #ended: EtcdError | undefined

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, serves: Serves) {
    this.incoming = incoming
    this.outgoing = outgoing
    const url = incoming.url ?? '/'
    this.target = url.startsWith('/') ? url : targetOf(url)
    this.header = headerReader(incoming)
    this.rpc = serves === 'all' ? this.#findRpc() : undefined
  }

  #findRpc(): Rpc | undefined {
    if (methodOf(this.incoming.method ?? '', this.header) !== 'POST') return undefined
    const target = readTarget(this.target)
    const called = target.kind === 'rpc' ? ROUTES.get(target.path) : undefined
    const rpc = called && rpcFor(this.header('accept'), called)
    const waits =
      rpc?.kind === 'stream' && rpc.outlivesRequests && preferredWait(this.header('prefer')) !== undefined
    return waits ? undefined : rpc
  }

  /** Whether it calls a stream whose end nobody can wait for. One that only answers what has come whole isn't. */
  get hasToBeEnded(): boolean {
    if (this.rpc?.kind !== 'stream' || this.rpc.isFinite) return false
    return isEndless(this.rpc) || !this.incoming.complete
  }

  get query(): string {
    return queryOf(this.target)
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#ended !== undefined) this.#controller.abort(this.#ended)
    }
    return this.#controller.signal
  }

  end(reason: EtcdError): void {
    this.#ended ??= reason
    this.#controller?.abort(reason)
  }
}
