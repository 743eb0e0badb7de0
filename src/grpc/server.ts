import { createServer, type ServerHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import type { RpcContext } from '../rpc/context.ts'
import { answer } from './answer.ts'
import { OpenCalls } from './call.ts'
import { commonNameOf } from './certificate.ts'
import { keepAlive } from './keep-alive.ts'
import type { ContextsByHost } from './routes.ts'

/** gRPC on connections that are handed over, and the two steps by which what it is doing comes to an end. */
export interface GrpcServer {
  /** Takes a connection that speaks HTTP/2, with its handshake done. */
  accept(connection: Duplex): void
  /**
   * Ends the calls that have no end of their own: their clients go on elsewhere. Takes no new ones. A connection ends with
   * its last call, or is cut by whoever handed it over: to destroy the session would have Node end the calls as if an
   * error of the server's had (RST_STREAM with NO_ERROR, which clients take for INTERNAL).
   */
  endStreams(): void
  /** Gives up what still waits: its clients are told that the server has stopped. */
  endCalls(): void
}

export interface GrpcOptions {
  /** Whether whoever comes without a token is the user whom the client's certificate names. */
  readonly certificatesNameUsers?: boolean | undefined
  /** Calls of one connection at a time. */
  readonly streamsMax?: number
  /** How often a connection is pinged, and how long an answer may take, in milliseconds. */
  readonly keepaliveIntervalMs?: number
  readonly keepaliveTimeoutMs?: number
}

/** Calls of one connection that its client may cancel in a second. */
const RESETS_MAX = 10_000

/**
 * etcd's gRPC server over the services, on Node's HTTP/2. What is no call is refused in the words of Go's gRPC. Where
 * several etcds are served on its connections, a call's host name says which it means.
 */
export function createGrpcServer(
  contexts: RpcContext | ContextsByHost,
  {
    certificatesNameUsers = false,
    streamsMax = LIMITS.grpcStreamsMax,
    keepaliveIntervalMs = LIMITS.grpcKeepaliveIntervalMs,
    keepaliveTimeoutMs = LIMITS.grpcKeepaliveTimeoutMs,
  }: GrpcOptions = {},
): GrpcServer {
  const open = new OpenCalls()
  const sessions = new Set<ServerHttp2Session>()
  let stopping = false

  const server = createServer({
    settings: { maxConcurrentStreams: streamsMax },
    // What a slow reader has yet to take counts for it; that is bounded for each call.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
    // Go's clients end each stream of theirs by a reset. Node would end the connection, with all that is open on it, of
    // one who does that more than 33 times a second; a call that is cancelled costs no more than one that isn't.
    streamResetBurst: RESETS_MAX,
    streamResetRate: RESETS_MAX,
  })
  server.on('session', (session) => {
    const certificateName = certificatesNameUsers ? commonNameOf(session.socket) : undefined
    session.on('stream', (stream, headers, _flags, raw) => {
      void answer(stream, headers, raw, { contexts, open, certificateName })
    })
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    keepAlive(session, keepaliveIntervalMs, keepaliveTimeoutMs)
  })

  return {
    accept(connection) {
      if (stopping) connection.destroy()
      else server.emit('connection', connection)
    },
    endStreams() {
      stopping = true
      open.endStreams(EtcdError.of('Stopped'))
      for (const session of sessions) session.close()
    },
    endCalls: () => open.endAll(EtcdError.of('Stopped')),
  }
}
