import { EtcdError } from '../etcd/errors.ts'
import type { RpcContext } from '../rpc/context.ts'
import { withCall } from '../rpc/request.ts'
import type { UnaryRpc } from '../rpc/rpcs.ts'
import { answerCall } from '../rpc/unary.ts'
import type { GrpcCall } from './call.ts'
import { decode, encode } from './message.ts'
import { unaryRequest } from './requests.ts'

/** Answers a call of a unary RPC. Fails when its request can't be received. */
export async function serveUnary(rpc: UnaryRpc, call: GrpcCall, context: RpcContext): Promise<void> {
  const { services, environment } = context
  const bytes = await unaryRequest(call.requests)
  const answer = async (): Promise<Uint8Array> => {
    const request = decode(rpc.input, bytes, 'error unmarshalling request')
    const response = await withCall(call, undefined, environment.clock, (asked) =>
      rpc.handler(services)(request, asked),
    )
    return encode(rpc.output, response)
  }
  const answered = await answerCall<Uint8Array | EtcdError>(rpc, context, answer, (error) => error)
  if (answered instanceof EtcdError) call.reply.end(answered)
  else call.reply.sendLast(answered)
}
