import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import type { Done } from '../observe/rpc-metrics.ts'
import { type Answer, empty, RPC_HEADERS } from './answer.ts'
import { BodyBudget } from './body-budget.ts'
import type { Context } from './context.ts'
import { errorAnswer, streamErrorAnswer, streamErrorLine, toEtcdError } from './errors.ts'
import { encodeJson, JsonStream } from './json/index.ts'
import { Lifetime, readTimeout } from './lifetime.ts'
import { decodeMessage } from './message.ts'
import { callOf, type RpcRequest, readBody, readToken } from './request.ts'
import type { StreamRpc } from './rpcs.ts'

/** The reason to end a stream cleanly, as if the service had: the server stops. */
export const STREAM_ENDED = new EtcdError(GrpcCode.Unavailable, 'edgetcd: the stream has ended')

const NO_WATCH = new EtcdError(GrpcCode.InvalidArgument, 'the body of the request creates no watch')

type Message = MessageInitShape<DescMessage>

/**
 * Opens a streaming RPC and waits for its first message, for only then do the headers go out, as etcd's do. The body
 * of the answer is one line a message. Never fails: a failure is an answer, or the last line.
 */
export async function answerStream(
  rpc: StreamRpc,
  request: RpcRequest,
  body: AsyncIterable<Uint8Array>,
  context: Context,
): Promise<Answer> {
  const stream = new Stream(rpc, request, context)
  try {
    await stream.open(body)
  } catch (thrown) {
    return errorAnswer(stream.fail(thrown))
  }
  try {
    const first = await stream.next()
    if (first.done !== true) {
      return {
        status: 200,
        headers: { ...RPC_HEADERS, 'Content-Encoding': 'identity' },
        body: stream.lines(first),
      }
    }
    if (rpc.outlivesRequests !== undefined) throw NO_WATCH
    stream.close('OK')
    return empty(200)
  } catch (thrown) {
    const error = stream.fail(thrown)
    return error === STREAM_ENDED ? empty(200) : streamErrorAnswer(error)
  }
}

/** One call of a streaming RPC, from its first request to its last answer. */
class Stream {
  readonly #rpc: StreamRpc
  readonly #request: RpcRequest
  readonly #context: Context
  readonly #lifetime: Lifetime
  readonly #done: Done
  #messages: AsyncIterator<Message> | undefined
  #closed = false

  constructor(rpc: StreamRpc, request: RpcRequest, context: Context) {
    this.#rpc = rpc
    this.#request = request
    this.#context = context
    this.#lifetime = new Lifetime(request.signal)
    this.#done = context.instruments.rpcs.started(rpc)
  }

  /** Asks the service. Fails with an EtcdError for what can be seen before that. */
  async open(body: AsyncIterable<Uint8Array>): Promise<void> {
    const { services, environment } = this.#context
    const timeoutMs = readTimeout(this.#request.header('grpc-timeout'))
    const requests = this.#rpc.requests === 'many' ? this.#manyRequests(body) : await this.#oneRequest(body)
    if (timeoutMs !== undefined) {
      this.#lifetime.endAfter(timeoutMs, environment.clock, EtcdError.of('DeadlineExceeded'))
    }
    this.#lifetime.signal.throwIfAborted()
    const call = callOf(this.#lifetime.signal, readToken(this.#request))
    this.#messages = this.#rpc.handler(services)(requests, call)[Symbol.asyncIterator]()
  }

  async #oneRequest(body: AsyncIterable<Uint8Array>): Promise<AsyncIterable<MessageShape<DescMessage>>> {
    const message = decodeMessage(this.#rpc.input, await readBody(body), this.#context.messageBytesMax)
    return (async function* () {
      yield message
    })()
  }

  /**
   * The requests in a body that may stay open. A malformed one ends them, as if the body ended there: nothing after
   * it is read, and what was asked before goes on. etcd lets a watch stream hang whose body creates no watch; nothing
   * can ever come on it, so it is refused.
   */
  async *#manyRequests(
    body: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<MessageShape<DescMessage>, void, undefined> {
    const { input, outlivesRequests } = this.#rpc
    let refused = outlivesRequests === undefined ? undefined : NO_WATCH
    try {
      for await (const value of jsonValues(body)) {
        const request = decodeMessage(input, value, this.#context.messageBytesMax)
        if (outlivesRequests?.(request)) refused = undefined
        yield request
      }
    } catch (thrown) {
      const error = toEtcdError(thrown, this.#context.environment.log)
      if (refused !== undefined || error.code === GrpcCode.ResourceExhausted) refused = error
    }
    if (refused !== undefined) this.#lifetime.end(refused)
  }

  /** The next message. Fails as the service does, or with the reason for which the stream has to end. */
  async next(): Promise<IteratorResult<Message>> {
    return await this.#lifetime.race(
      async () => (await this.#messages?.next()) ?? { done: true, value: undefined },
    )
  }

  async *lines(first: IteratorResult<Message>): AsyncGenerator<string, void, undefined> {
    try {
      for (let next = first; next.done !== true; next = await this.next()) {
        yield `{"result":${encodeJson(this.#rpc.output, next.value)}}\n`
      }
      this.close('OK')
    } catch (thrown) {
      const error = this.fail(thrown)
      if (error !== STREAM_ENDED) yield streamErrorLine(error)
    } finally {
      this.close(GrpcCode.Canceled)
    }
  }

  /** Ends the stream with what was thrown, and gives what the client may see of it. */
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

async function* jsonValues(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const values = new JsonStream()
  const budget = new BodyBudget()
  try {
    for await (const chunk of body) {
      budget.take(chunk.byteLength)
      yield* values.push(chunk)
      if (!values.holds) budget.release()
    }
    yield* values.end()
  } finally {
    budget.release()
  }
}
