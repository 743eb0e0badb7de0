import type { handleUnaryCall } from '@grpc/grpc-js'
import type { RpcContext } from '../rpc/context.ts'
import { toEtcdError } from '../rpc/failure.ts'
import { withCall } from '../rpc/request.ts'
import type { UnaryRpc } from '../rpc/rpcs.ts'
import type { GrpcCall, OpenCalls } from './call.ts'
import { decode, encode } from './message.ts'
import { statusOf } from './status.ts'

/** What answers a unary RPC. */
export function serveUnary(
  rpc: UnaryRpc,
  open: OpenCalls,
  context: RpcContext,
): handleUnaryCall<Buffer, Buffer> {
  const { services, environment, instruments, messageBytesMax } = context
  const answer = async (call: GrpcCall, request: Buffer): Promise<Buffer> => {
    const message = decode(rpc.input, request, messageBytesMax)
    const response = await withCall(call, undefined, environment.clock, (asked) =>
      rpc.handler(services)(message, asked),
    )
    return encode(rpc.output, response)
  }
  return (surface, callback) => {
    const done = instruments.rpcs.started(rpc)
    const call = open.open(rpc, surface)
    answer(call, surface.request)
      .then(
        (response) => {
          done('OK')
          callback(null, response)
        },
        (thrown: unknown) => {
          const error = toEtcdError(thrown, environment.log)
          done(error.code)
          callback(statusOf(error))
        },
      )
      .finally(() => call.close())
  }
}
