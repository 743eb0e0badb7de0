import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { readTimeout } from '../rpc/lifetime.ts'
import { type RpcRequest, withCall } from '../rpc/request.ts'
import type { UnaryRpc } from '../rpc/rpcs.ts'
import { answerCall } from '../rpc/unary.ts'
import { type Answer, RPC_HEADERS } from './answer.ts'
import { readBytesForm } from './bytes-form.ts'
import type { Context } from './context.ts'
import { errorAnswer } from './errors.ts'
import { type BytesForm, encodeJson } from './json/index.ts'
import { decodeMessage } from './message.ts'

/**
 * Answers a unary RPC whose body has been read: decodes, asks the service, encodes. Never fails: a failure is an
 * answer. The checks come in etcd's order: the deadline's header, JSON, size, and then whatever the service checks.
 */
export async function answerUnary(
  rpc: UnaryRpc,
  request: RpcRequest,
  body: Uint8Array,
  context: Context,
): Promise<Answer> {
  const { services, environment, messageBytesMax } = context
  const work = async (): Promise<Answer> => {
    const timeoutMs = readTimeout(request.header('grpc-timeout'))
    const form = readBytesForm(request)
    const message = decodeMessage(rpc.input, body, messageBytesMax, form)
    const response = await withCall(request, timeoutMs, environment.clock, (call) =>
      rpc.handler(services)(message, call),
    )
    return { status: 200, headers: RPC_HEADERS, body: encodeAnswer(rpc, response, form) }
  }
  return await answerCall(rpc, context, work, errorAnswer)
}

/** Fails with ResourceExhausted when the answer is longer than the platform's longest string, about 512 MiB. */
function encodeAnswer(rpc: UnaryRpc, response: MessageInitShape<DescMessage>, form: BytesForm): string {
  try {
    return encodeJson(rpc.output, response, form)
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown
    const message = 'the answer is too large for one message; ask for it in parts, with a limit'
    throw new EtcdError(GrpcCode.ResourceExhausted, message, { cause: thrown })
  }
}
