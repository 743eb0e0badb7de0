/** A fetch Request, as the gateway reads it. */
import { EtcdError } from '../etcd/errors.ts'
import type { RpcRequest } from '../rpc/request.ts'
import { queryOf } from './target.ts'

export function toRpcRequest(request: Request): RpcRequest {
  return {
    header: (name) => request.headers.get(name) ?? undefined,
    query: queryOf(request.url),
    signal: request.signal,
  }
}

/** The body as it arrives. What is left when the reader stops is not cancelled: the answer may still go on. */
export async function* bodyOf(request: Request): AsyncGenerator<Uint8Array, void, undefined> {
  if (request.body === null) return
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } catch (thrown) {
    // Only the client can break its own body off.
    throw thrown instanceof EtcdError ? thrown : EtcdError.of('Canceled', thrown)
  } finally {
    reader.releaseLock()
  }
}

/** A Worker's request: Cloudflare puts codings of its own into the header, and here what the client said. */
interface CloudflareRequest extends Request {
  readonly cf?: { readonly clientAcceptEncoding?: string }
}

/** Whether the client takes gzip. */
export function acceptsGzip(request: CloudflareRequest): boolean {
  const codings = request.cf?.clientAcceptEncoding ?? request.headers.get('accept-encoding')
  const accepted = codings?.split(',') ?? []
  return accepted.some((coding) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/.test(coding))
}
