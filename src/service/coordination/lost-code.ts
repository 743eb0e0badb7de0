import type { DescMessage } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import type { Unary } from '../call.ts'

/** What ends a call whatever it is doing; gRPC itself sees to their codes. */
const CALL_ENDED = ['Canceled', 'DeadlineExceeded', 'Stopped'] as const

/**
 * The error as etcd's lock and election services pass it on: the text is kept, the code is lost. Only what ends the
 * call itself keeps its code.
 */
export function withoutCode(error: unknown): unknown {
  if (!(error instanceof EtcdError) || CALL_ENDED.some((name) => error.is(name))) return error
  return new EtcdError(GrpcCode.Unknown, error.message, { cause: error })
}

/** The RPC with its errors as `withoutCode` makes them. */
export function losingCodes<I extends DescMessage, O extends DescMessage>(rpc: Unary<I, O>): Unary<I, O> {
  return async (request, call) => {
    try {
      return await rpc(request, call)
    } catch (error) {
      throw withoutCode(error)
    }
  }
}
