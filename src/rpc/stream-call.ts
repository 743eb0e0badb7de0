import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import type { Done } from '../observe/rpc-metrics.ts'
import type { Call } from '../service/call.ts'
import type { RpcContext } from './context.ts'
import { toEtcdError } from './failure.ts'
import { Lifetime, readTimeout } from './lifetime.ts'
import { callOf, type RpcRequest, readToken, requiresLeader } from './request.ts'
import type { StreamRpc } from './rpcs.ts'

/** The reason to end a stream cleanly, as if the service had: the server stops. */
export const STREAM_ENDED = new EtcdError(GrpcCode.Unavailable, 'edgetcd: the stream has ended')

/**
 * One call of a streaming RPC, from its first request to its last answer, however the answers travel: how long it
 * lives, what it counts as, and what of its failures a client may see.
 */
export class StreamCall<Message> {
  readonly #request: RpcRequest
  readonly #context: RpcContext
  readonly #lifetime: Lifetime
  readonly #done: Done
  #messages: AsyncIterator<Message> | undefined
  #closed = false

  constructor(rpc: StreamRpc, request: RpcRequest, context: RpcContext) {
    this.#request = request
    this.#context = context
    this.#lifetime = new Lifetime(request.signal)
    this.#done = context.instruments.rpcs.started(rpc)
  }

  /** Aborts when the call ends, whoever ended it. */
  get signal(): AbortSignal {
    return this.#lifetime.signal
  }

  /**
   * Asks the service: no longer than the request's deadline, with the token of its headers unless another is given.
   * Fails with an EtcdError for what can be seen before that, and as `start` does.
   */
  async open(
    start: (call: Call) => AsyncIterable<Message> | Promise<AsyncIterable<Message>>,
    token = readToken(this.#request),
  ): Promise<void> {
    const timeoutMs = readTimeout(this.#request.header('grpc-timeout'))
    const call = {
      ...callOf(this.#lifetime.signal, token, this.#request.certificateName),
      requiresLeader: requiresLeader(this.#request),
    }
    const messages = await start(call)
    if (timeoutMs !== undefined) {
      this.#lifetime.endAfter(timeoutMs, this.#context.environment.clock, EtcdError.of('DeadlineExceeded'))
    }
    this.#lifetime.signal.throwIfAborted()
    this.#messages = messages[Symbol.asyncIterator]()
  }

  /** The next message. Fails as the service does, or with the reason for which the stream has to end. */
  async next(): Promise<IteratorResult<Message, undefined>> {
    return await this.whileOpen(
      async () => (await this.#messages?.next()) ?? { done: true, value: undefined },
    )
  }

  /** Waits for the work no longer than the call lives, and fails with the reason for which the stream has to end. */
  async whileOpen<T>(work: () => Promise<T>): Promise<T> {
    return await this.#lifetime.race(work)
  }

  /** Ends the call with a reason, which whoever waits for the next message is told. */
  end(reason: EtcdError): void {
    this.#lifetime.end(reason)
  }

  /** Ends the call with what was thrown, and gives what the client may see of it. */
  fail(thrown: unknown): EtcdError {
    const error = toEtcdError(thrown, this.#context.environment.log)
    this.close(error === STREAM_ENDED ? 'OK' : error.code)
    return error
  }

  /** Frees everything, at once; a second time does nothing. */
  close(code: Parameters<Done>[0]): void {
    if (this.#closed) return
    this.#closed = true
    this.#done(code)
    this.#lifetime.end(STREAM_ENDED)
    this.#messages?.return?.().catch((thrown: unknown) => toEtcdError(thrown, this.#context.environment.log))
  }
}
