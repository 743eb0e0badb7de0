import type { Clock } from '../environment.ts'
import { EtcdError } from '../etcd/errors.ts'
import type { Call } from '../service/call.ts'
import { endOf, Lifetime } from './lifetime.ts'

/** Gives a header or metadata by its name in lower case; of several of one name the first. */
export type HeaderReader = (name: string) => string | undefined

/** What an RPC needs of its request, whatever carried it. */
export interface RpcRequest {
  readonly header: HeaderReader
  /** What follows the path in the request target, from its question mark on; empty without one. */
  readonly query: string
  /** Aborts when the client went away, or when the server stops waiting. */
  readonly signal: AbortSignal
  /** Who the client is by its certificate, where that counts: see `Call.certificateName`. */
  readonly certificateName?: string | undefined
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
  if (timeoutMs === undefined) {
    try {
      return await work(new RequestCall(request, token))
    } catch (error) {
      // A service that gives a call up because it was ended doesn't know why.
      const givenUp = error instanceof EtcdError && error.is('Canceled') && request.signal.aborted
      throw givenUp ? endOf(request.signal) : error
    }
  }
  const lifetime = new Lifetime(request.signal)
  lifetime.endAfter(timeoutMs, clock, EtcdError.of('DeadlineExceeded'))
  try {
    return await lifetime.race(() => work(callOf(lifetime.signal, token, request.certificateName)))
  } finally {
    lifetime.end(EtcdError.of('Canceled'))
  }
}

/** The call as a service sees it. */
export function callOf(
  signal: AbortSignal,
  token: string | undefined,
  certificateName: string | undefined,
): Call {
  return {
    signal,
    ...(token !== undefined && { token }),
    ...(certificateName !== undefined && { certificateName }),
  }
}

/** Asks for the request's signal only when a service does: most calls end without ever looking at it. */
class RequestCall implements Call {
  readonly #request: RpcRequest
  declare readonly token?: string
  declare readonly certificateName?: string

  constructor(request: RpcRequest, token: string | undefined) {
    this.#request = request
    if (token !== undefined) this.token = token
    if (request.certificateName !== undefined) this.certificateName = request.certificateName
  }

  get signal(): AbortSignal {
    return this.#request.signal
  }
}

/** Whether a client wants no stream of a server that has no leader, which is metadata as the token is. */
export function requiresLeader(request: RpcRequest): boolean {
  return request.header('grpc-metadata-hasleader') === 'true'
}

/**
 * The token, with which a client says who it is. etcd looks for the metadata `token` first, then for `authorization`; the
 * scheme before it may be left out, but has to be spelled like this.
 */
export function readToken(request: RpcRequest): string | undefined {
  const token =
    request.header('grpc-metadata-token') ??
    request.header('authorization') ??
    request.header('grpc-metadata-authorization')
  return token?.replace(/^Bearer /, '')
}
