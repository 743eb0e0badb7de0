import type { Clock } from '../environment.ts'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import type { Call } from '../service/call.ts'
import { BodyBudget } from './body-budget.ts'
import { Lifetime } from './lifetime.ts'
import type { HeaderReader } from './method.ts'

/** What an RPC needs of an HTTP request, whichever server took it in. */
export interface RpcRequest {
  readonly header: HeaderReader
  /** What follows the path in the request target, from its question mark on; empty without one. */
  readonly query: string
  /** Aborts when the client went away, or when the server stops waiting. */
  readonly signal: AbortSignal
}

/**
 * Does the work of a unary call: with the token of its headers, and no longer than `timeoutMs` milliseconds if that is
 * given. Fails with DeadlineExceeded when the time is over, and as the work does.
 */
export async function withCall<T>(
  request: RpcRequest,
  timeoutMs: number | undefined,
  clock: Clock,
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const token = readToken(request)
  if (timeoutMs === undefined) return await work(new RequestCall(request, token))
  const lifetime = new Lifetime(request.signal)
  lifetime.endAfter(timeoutMs, clock, EtcdError.of('DeadlineExceeded'))
  try {
    return await lifetime.race(() => work(callOf(lifetime.signal, token)))
  } finally {
    lifetime.end(EtcdError.of('Canceled'))
  }
}

export function callOf(signal: AbortSignal, token: string | undefined): Call {
  return token === undefined ? { signal } : { signal, token }
}

/** Asks for the request's signal only when a service does: most calls end without ever looking at it. */
class RequestCall implements Call {
  readonly #request: RpcRequest
  declare readonly token?: string

  constructor(request: RpcRequest, token: string | undefined) {
    this.#request = request
    if (token !== undefined) this.token = token
  }

  get signal(): AbortSignal {
    return this.#request.signal
  }
}

/**
 * etcd looks for the metadata `token` first, then for `authorization`; the scheme before it may be left out, but has to be
 * spelled like this.
 */
export function readToken(request: RpcRequest): string | undefined {
  const token =
    request.header('grpc-metadata-token') ??
    request.header('authorization') ??
    request.header('grpc-metadata-authorization')
  return token?.replace(/^Bearer /, '')
}

export const BODY_TOO_LARGE = new EtcdError(
  GrpcCode.ResourceExhausted,
  `the body of the request is larger than max (${LIMITS.bodyBytesMax})`,
)

/**
 * A body grows no further than `LIMITS.bodyBytesMax`; the message in it has its own, smaller limit. Whoever makes one must
 * `release` it.
 */
export class BodyBuffer {
  readonly #chunks: Uint8Array[] = []
  readonly #budget = new BodyBudget()
  #length = 0

  /** Fails with ResourceExhausted when the body is too large, or too much is being received. */
  push(chunk: Uint8Array): void {
    if (this.#length + chunk.byteLength > LIMITS.bodyBytesMax) throw BODY_TOO_LARGE
    this.#budget.take(chunk.byteLength)
    this.#length += chunk.byteLength
    this.#chunks.push(chunk)
  }

  /** The body has been received, or nobody waits for it any more. May be called twice. */
  release(): void {
    this.#budget.release()
  }

  bytes(): Uint8Array {
    const [first] = this.#chunks
    if (first !== undefined && this.#chunks.length === 1) return first
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const chunk of this.#chunks) {
      all.set(chunk, at)
      at += chunk.byteLength
    }
    return all
  }
}

/** Reads a whole body. Fails with ResourceExhausted when it is too large, or as its source does. */
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const buffer = new BodyBuffer()
  try {
    for await (const chunk of body) buffer.push(chunk)
    return buffer.bytes()
  } finally {
    buffer.release()
  }
}
