import type { handleUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { RpcContext } from '../rpc/context.ts'
import { withCall } from '../rpc/request.ts'
import type { UnaryRpc } from '../rpc/rpcs.ts'
import { answerCall } from '../rpc/unary.ts'
import type { GrpcCall, OpenCalls } from './call.ts'
import { decode, encode } from './message.ts'
import { statusOf } from './status.ts'

type Reply = Parameters<sendUnaryData<Buffer>>

/** What answers a unary RPC. */
export function serveUnary(
  rpc: UnaryRpc,
  open: OpenCalls,
  context: RpcContext,
): handleUnaryCall<Buffer, Buffer> {
  const { services, environment, messageBytesMax } = context
  const answer = async (call: GrpcCall, request: Buffer): Promise<Reply> => {
    const message = decode(rpc.input, request, messageBytesMax)
    const response = await withCall(call, undefined, environment.clock, (asked) =>
      rpc.handler(services)(message, asked),
    )
    return [null, encode(rpc.output, response)]
  }
  return (surface, callback) => {
    const call = open.open(rpc, surface)
    answerCall(
      rpc,
      context,
      () => answer(call, surface.request),
      (error): Reply => [statusOf(error)],
    )
      .then((reply) => callback(...reply))
      .finally(() => call.close())
  }
}
