import type { IncomingHttpHeaders } from 'node:http2'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { storeHostName } from '../host-name.ts'
import type { RpcContext } from '../rpc/context.ts'
import { RPCS, type Rpc } from '../rpc/rpcs.ts'
import { HEALTH_RPCS } from './health.ts'

/** The etcds that are served on the same connections, by the host names (in lower case) that their clients ask for. */
export type ContextsByHost = ReadonlyMap<string, RpcContext>

const SERVICES = new Map<string, Map<string, Rpc>>()
for (const rpc of [...RPCS.values(), ...HEALTH_RPCS]) {
  const methods = SERVICES.get(rpc.service) ?? new Map<string, Rpc>()
  SERVICES.set(rpc.service, methods.set(rpc.method, rpc))
}

/** What a call's headers ask for, and of which etcd. An error, in Go's words, where that is nothing. */
export function routeOf(
  contexts: RpcContext | ContextsByHost,
  headers: IncomingHttpHeaders,
): { readonly rpc: Rpc; readonly context: RpcContext } | EtcdError {
  const rpc = rpcAt(headers[':path'] ?? '')
  if (rpc instanceof EtcdError) return rpc
  const context = contextFor(contexts, headers[':authority'] ?? headers.host ?? '')
  return context instanceof EtcdError ? context : { rpc, context }
}

function rpcAt(path: string): Rpc | EtcdError {
  const [, service, method] = /^\/(.*)\/([^/]*)$/s.exec(path) ?? []
  if (service === undefined || method === undefined) {
    return unimplemented(`malformed method name: ${JSON.stringify(path)}`)
  }
  const methods = SERVICES.get(service)
  if (methods === undefined) return unimplemented(`unknown service ${service}`)
  return methods.get(method) ?? unimplemented(`unknown method ${method} for service ${service}`)
}

function contextFor(contexts: RpcContext | ContextsByHost, authority: string): RpcContext | EtcdError {
  if (!isByHost(contexts)) return contexts
  const host = storeHostName(authority)
  const context = contexts.get(host)
  if (context !== undefined) return context
  const message = `edgetcd: no etcd is served here by the host name ${JSON.stringify(host)}; add NAME=//HOST to --store`
  return new EtcdError(GrpcCode.NotFound, message)
}

function isByHost(contexts: RpcContext | ContextsByHost): contexts is ContextsByHost {
  return contexts instanceof Map
}

function unimplemented(message: string): EtcdError {
  return new EtcdError(GrpcCode.Unimplemented, message)
}
