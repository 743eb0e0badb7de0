import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { EtcdError } from '../etcd/errors.ts'
import type { RpcContext } from '../rpc/context.ts'
import { toEtcdError } from '../rpc/failure.ts'
import { GrpcCall, type OpenCalls } from './call.ts'
import { readHeaders } from './headers.ts'
import { Reply } from './reply.ts'
import { type ContextsByHost, routeOf } from './routes.ts'
import { serveStream } from './stream.ts'
import { serveUnary } from './unary.ts'

/** What a call has of its server and its connection. */
export interface Surroundings {
  readonly contexts: RpcContext | ContextsByHost
  readonly open: OpenCalls
  /** Whom the certificate of its client names, where that counts. */
  readonly certificateName: string | undefined
}

/** Answers a call, from its headers on; `raw` is their names and values in turn. Never fails. */
export async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  { contexts, open, certificateName }: Surroundings,
): Promise<void> {
  // 'close' follows, which tells the call.
  stream.on('error', () => {})
  const read = readHeaders(headers, raw)
  if ('error' in read) return refuse(stream, read.error, read.httpStatus)
  const route = routeOf(contexts, headers)
  if (route instanceof EtcdError) return refuse(stream, route)
  const { rpc, context } = route
  const call = new GrpcCall(rpc, stream, read, context.messageBytesMax, certificateName)
  open.add(call)
  try {
    if (rpc.kind === 'unary') await serveUnary(rpc, call, context)
    else await serveStream(rpc, call, context)
  } catch (thrown) {
    call.reply.end(toEtcdError(thrown, context.environment.log))
  } finally {
    open.delete(call)
    call.close()
  }
}

function refuse(stream: ServerHttp2Stream, error: EtcdError, httpStatus?: number): void {
  new Reply(stream).end(error, httpStatus)
  stream.resume()
}
