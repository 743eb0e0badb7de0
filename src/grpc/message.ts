import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'

/** Reads one request. Fails with Internal where it isn't such a message, in Go's words for `failure`. */
export function decode<I extends DescMessage>(
  schema: I,
  bytes: Uint8Array,
  failure: string,
): MessageShape<I> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false })
  } catch (error) {
    throw new EtcdError(GrpcCode.Internal, `grpc: ${failure}: proto: wrong wire format`, { cause: error })
  }
}

/** Writes one answer. */
export function encode<O extends DescMessage>(schema: O, answer: MessageInitShape<O>): Uint8Array {
  return toBinary(schema, create(schema, answer))
}
