import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { type BytesForm, decodeJson, protobufSize } from './json/index.ts'

/**
 * Decodes one request and lets it through the gRPC door: etcd's gateway hands it on as protobuf, and its gRPC server
 * refuses messages above `messageBytesMax`. Fails with InvalidArgument for bad JSON, with ResourceExhausted for size.
 */
export function decodeMessage<I extends DescMessage>(
  schema: I,
  body: Uint8Array,
  messageBytesMax: number,
  form: BytesForm,
): MessageShape<I> {
  const message = decodeJson(schema, body, form)
  // Protobuf is the shorter of the two but for negative enum numbers, at most four times as long as in JSON: the
  // size of a short body needs no measuring.
  if (body.byteLength * 4 > messageBytesMax) {
    const size = protobufSize(schema, message)
    if (size > messageBytesMax) throw messageTooLarge(size, messageBytesMax)
  }
  return message
}

function messageTooLarge(size: number, messageBytesMax: number): EtcdError {
  const message = `grpc: received message larger than max (${size} vs. ${messageBytesMax})`
  return new EtcdError(GrpcCode.ResourceExhausted, message)
}
