import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { toEtcdError } from '../rpc/failure.ts'
import type { RpcRequest } from '../rpc/request.ts'
import { isEndless, type StreamRpc } from '../rpc/rpcs.ts'
import { STREAM_ENDED, StreamCall } from '../rpc/stream-call.ts'
import { type Answer, empty, RPC_HEADERS } from './answer.ts'
import { bodyBytesMaxOf, readBody } from './body.ts'
import { readBytesForm } from './bytes-form.ts'
import type { Context } from './context.ts'
import { errorAnswer, streamErrorAnswer, streamErrorLine } from './errors.ts'
import { type BytesForm, encodeJson } from './json/index.ts'
import { jsonValues } from './json-values.ts'
import { decodeMessage } from './message.ts'

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
  const stream = new StreamCall<Message>(rpc, request, context)
  let form: BytesForm = 'base64'
  try {
    await stream.open(async (call) => {
      form = readBytesForm(request)
      const requests =
        rpc.requests === 'many'
          ? manyRequests(rpc, body, form, stream, context)
          : await oneRequest(rpc, body, form, context)
      return rpc.handler(context.services)(requests, call)
    })
  } catch (thrown) {
    return errorAnswer(stream.fail(thrown))
  }
  try {
    const first = await stream.next()
    if (first.done !== true) {
      return {
        status: 200,
        headers: { ...RPC_HEADERS, 'Content-Type': rpc.mediaType, 'Content-Encoding': 'identity' },
        body: lines(rpc, stream, first, form, context),
      }
    }
    if (isEndless(rpc)) throw STREAM_ENDED
    stream.close('OK')
    return empty(200)
  } catch (thrown) {
    const error = stream.fail(thrown)
    // Nothing at all would tell a client that what it asked for is done; told so, it asks another server.
    return streamErrorAnswer(error === STREAM_ENDED ? EtcdError.of('Stopped') : error)
  }
}

async function oneRequest(
  { input }: StreamRpc,
  body: AsyncIterable<Uint8Array>,
  form: BytesForm,
  context: Context,
): Promise<AsyncIterable<MessageShape<DescMessage>>> {
  const bytes = await readBody(body, bodyBytesMaxOf(context))
  const message = decodeMessage(input, bytes, context.messageBytesMax, form)
  return (async function* () {
    yield message
  })()
}

/**
 * The requests in a body that may stay open. A malformed one ends them, as if the body ended there: nothing after
 * it is read, and what was asked before goes on. etcd lets a watch stream hang whose body creates no watch; nothing
 * can ever come on it, so it is refused.
 */
async function* manyRequests(
  { input, outlivesRequests }: StreamRpc,
  body: AsyncIterable<Uint8Array>,
  form: BytesForm,
  stream: StreamCall<Message>,
  { environment, messageBytesMax }: Context,
): AsyncGenerator<MessageShape<DescMessage>, void, undefined> {
  let refused = outlivesRequests === undefined ? undefined : NO_WATCH
  try {
    for await (const value of jsonValues(body)) {
      const request = decodeMessage(input, value, messageBytesMax, form)
      if (outlivesRequests?.(request)) refused = undefined
      yield request
    }
  } catch (thrown) {
    const error = toEtcdError(thrown, environment.log)
    if (refused !== undefined || error.code === GrpcCode.ResourceExhausted) refused = error
  }
  if (refused !== undefined) stream.end(refused)
}

/**
 * One line a message. The first of a watch stands alone for a moment: there are clients that lose all but the first of
 * the messages that they read at once (etcd3-py's asynchronous one), and etcd sends the past on a tick of 100 ms.
 */
async function* lines(
  rpc: StreamRpc,
  stream: StreamCall<Message>,
  first: IteratorResult<Message, undefined>,
  form: BytesForm,
  { environment: { clock } }: Context,
): AsyncGenerator<string, void, undefined> {
  try {
    for (let next = first; next.done !== true; next = await stream.next()) {
      yield `{"result":${encodeJson(rpc.output, next.value, form)}}\n`
      const alone = next === first && rpc.outlivesRequests !== undefined
      if (alone) await clock.sleep(LIMITS.watchFirstAloneMs, stream.signal)
    }
    stream.close('OK')
  } catch (thrown) {
    const error = stream.fail(thrown)
    if (error !== STREAM_ENDED) yield streamErrorLine(error)
  } finally {
    stream.close(GrpcCode.Canceled)
  }
}
