import type { Duplex } from 'node:stream'
import {
  type ChannelOptions,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import type { RpcContext } from '../rpc/context.ts'
import { RPCS, type Rpc } from '../rpc/rpcs.ts'
import { type ContextsByHost, serveStreamByHost, serveUnaryByHost } from './by-host.ts'
import { OpenCalls } from './call.ts'
import { HEALTH_RPCS } from './health.ts'
import { serveStream } from './stream.ts'
import { serveUnary } from './unary.ts'

/** gRPC on connections that are handed over, and the two steps by which what it is doing comes to an end. */
export interface GrpcServer {
  /** Takes a connection that speaks HTTP/2, with its handshake done. */
  accept(connection: Duplex): void
  /** Ends the calls that have no end of their own: their clients go on elsewhere. Takes no new ones. */
  endStreams(): void
  /** Gives up what still waits: its clients are told that the server has stopped. */
  endCalls(): void
}

export interface GrpcOptions {
  /** Whether whoever comes without a token is the user whom the client's certificate names. */
  readonly certificatesNameUsers?: boolean | undefined
  /** Calls of one connection at a time. */
  readonly streamsMax?: number
  /** How often an idle connection is pinged, and how long an answer may take, in milliseconds. */
  readonly keepaliveIntervalMs?: number
  readonly keepaliveTimeoutMs?: number
}

/** When the server stops, a connection ends with its last call, or after this. */
const DRAIN_MS = 6_000

/**
 * etcd's gRPC server over the services: messages are read and written here, and not by gRPC's library, so that what can't be
 * read is refused in Go's words. Where several etcds are served on its connections, a call's host name says which it means.
 */
export function createGrpcServer(
  context: RpcContext | ContextsByHost,
  options: GrpcOptions = {},
): GrpcServer {
  const server = new Server(channelOptions(options))
  const open = new OpenCalls(options.certificatesNameUsers)
  const byService = new Map<string, Rpc[]>()
  for (const rpc of [...RPCS.values(), ...HEALTH_RPCS]) {
    byService.set(rpc.service, [...(byService.get(rpc.service) ?? []), rpc])
  }
  for (const [service, rpcs] of byService) {
    server.addService(definitionOf(service, rpcs), implementationOf(rpcs, open, context))
  }
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  return {
    accept: (connection) => injector.injectConnection(connection),
    endStreams() {
      open.endStreams(EtcdError.of('Stopped'))
      injector.drain(DRAIN_MS)
    },
    endCalls: () => open.endAll(EtcdError.of('Stopped')),
  }
}

/** There is no limit on what is sent, as with etcd; what is received is measured when it is read. */
function channelOptions({
  streamsMax = LIMITS.grpcStreamsMax,
  keepaliveIntervalMs = LIMITS.grpcKeepaliveIntervalMs,
  keepaliveTimeoutMs = LIMITS.grpcKeepaliveTimeoutMs,
}: GrpcOptions): ChannelOptions {
  return {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': streamsMax,
    'grpc.keepalive_time_ms': keepaliveIntervalMs,
    'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
  }
}

const bytes = { serialize: (message: Buffer) => message, deserialize: (message: Buffer) => message }

function definitionOf(service: string, rpcs: readonly Rpc[]): ServiceDefinition {
  return Object.fromEntries(
    rpcs.map((rpc) => [
      rpc.method,
      {
        path: `/${service}/${rpc.method}`,
        requestStream: rpc.kind === 'stream' && rpc.requests === 'many',
        responseStream: rpc.kind === 'stream',
        requestSerialize: bytes.serialize,
        requestDeserialize: bytes.deserialize,
        responseSerialize: bytes.serialize,
        responseDeserialize: bytes.deserialize,
      },
    ]),
  )
}

function implementationOf(
  rpcs: readonly Rpc[],
  open: OpenCalls,
  context: RpcContext | ContextsByHost,
): UntypedServiceImplementation {
  return Object.fromEntries(rpcs.map((rpc) => [rpc.method, handlerOf(rpc, open, context)]))
}

function handlerOf(rpc: Rpc, open: OpenCalls, context: RpcContext | ContextsByHost) {
  if (isByHost(context)) {
    return rpc.kind === 'unary' ? serveUnaryByHost(rpc, open, context) : serveStreamByHost(rpc, open, context)
  }
  return rpc.kind === 'unary' ? serveUnary(rpc, open, context) : serveStream(rpc, open, context)
}

function isByHost(context: RpcContext | ContextsByHost): context is ContextsByHost {
  return context instanceof Map
}
