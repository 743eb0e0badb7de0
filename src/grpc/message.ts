import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { checkMessageSize } from '../rpc/message-size.ts'

/**
 * Reads one request.
 * @throws EtcdError ResourceExhausted for its size, Internal where it isn't such a message; both in Go's words
 */
export function decode<I extends DescMessage>(schema: I, bytes: Buffer, bytesMax: number): MessageShape<I> {
  checkMessageSize(bytes.length, bytesMax)
  try {
    return fromBinary(schema, bytes)
  } catch (error) {
    throw new EtcdError(GrpcCode.Internal, 'grpc: error unmarshalling request: proto: wrong wire format', {
      cause: error,
    })
  }
}

/** Writes one answer. */
export function encode<O extends DescMessage>(schema: O, answer: MessageInitShape<O>): Buffer {
  const bytes = toBinary(schema, create(schema, answer))
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
