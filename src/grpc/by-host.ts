import type { handleUnaryCall } from '@grpc/grpc-js'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { hostName } from '../host-name.ts'
import type { RpcContext } from '../rpc/context.ts'
import type { StreamRpc, UnaryRpc } from '../rpc/rpcs.ts'
import type { OpenCalls } from './call.ts'
import { statusOf } from './status.ts'
import { type Surface, serveStream } from './stream.ts'
import { serveUnary } from './unary.ts'

/** The etcds that are served on the same connections, by the host names (in lower case) that their clients ask for. */
export type ContextsByHost = ReadonlyMap<string, RpcContext>

/** The same as serveUnary, of the etcd that the call's `:authority` names. */
export function serveUnaryByHost(
  rpc: UnaryRpc,
  open: OpenCalls,
  contexts: ContextsByHost,
): handleUnaryCall<Buffer, Buffer> {
  const handlers = mapValues(contexts, (context) => serveUnary(rpc, open, context))
  return (surface, callback) => {
    const host = hostOf(surface)
    const handler = handlers.get(host)
    if (handler === undefined) callback(statusOf(noEtcdAt(host)))
    else handler(surface, callback)
  }
}

/** The same as serveStream. */
export function serveStreamByHost(
  rpc: StreamRpc,
  open: OpenCalls,
  contexts: ContextsByHost,
): (surface: Surface) => void {
  const handlers = mapValues(contexts, (context) => serveStream(rpc, open, context))
  return (surface) => {
    const host = hostOf(surface)
    const handler = handlers.get(host)
    if (handler === undefined) surface.emit('error', statusOf(noEtcdAt(host)))
    else handler(surface)
  }
}

function mapValues<T, U>(map: ReadonlyMap<string, T>, value: (from: T) => U): ReadonlyMap<string, U> {
  return new Map([...map].map(([key, from]) => [key, value(from)]))
}

function hostOf(surface: { getHost(): string }): string {
  return hostName(surface.getHost()).toLowerCase()
}

function noEtcdAt(host: string): EtcdError {
  return new EtcdError(
    GrpcCode.NotFound,
    `edgetcd: no etcd is served here by the host name ${JSON.stringify(host)}`,
  )
}
