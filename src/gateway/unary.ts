import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { toEtcdError } from '../rpc/failure.ts'
import { readTimeout } from '../rpc/lifetime.ts'
import { type RpcRequest, withCall } from '../rpc/request.ts'
import type { UnaryRpc } from '../rpc/rpcs.ts'
import type { Call } from '../service/call.ts'
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
  const { services, environment, instruments, messageBytesMax } = context
  const done = instruments.rpcs.started(rpc)
  const startMs = performance.now()
  try {
    const timeoutMs = readTimeout(request.header('grpc-timeout'))
    const form = readBytesForm(request)
    const message = decodeMessage(rpc.input, body, messageBytesMax, form)
    const work = (call: Call) => rpc.handler(services)(message, call)
    const response = await withCall(request, timeoutMs, environment.clock, work)
    const answer = { status: 200, headers: RPC_HEADERS, body: encodeAnswer(rpc, response, form) }
    done('OK')
    return answer
  } catch (thrown) {
    const error = toEtcdError(thrown, environment.log)
    done(error.code)
    return errorAnswer(error)
  } finally {
    warnIfSlow(rpc, performance.now() - startMs, context)
  }
}

/** What etcd logs of a slow call tells of its keys, too: here nothing does. */
function warnIfSlow(
  { service, method }: UnaryRpc,
  tookMs: number,
  { environment, warningUnaryMs }: Context,
): void {
  if (warningUnaryMs === 0 || tookMs < warningUnaryMs) return
  environment.log('warn', 'a call took too long', {
    took: `${tookMs.toFixed(1)}ms`,
    'expected-duration': `${warningUnaryMs}ms`,
    rpc: `/${service}/${method}`,
  })
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
