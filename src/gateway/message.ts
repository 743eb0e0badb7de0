import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { checkMessageSize } from '../rpc/message-size.ts'
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
  if (body.byteLength * 4 > messageBytesMax) checkMessageSize(protobufSize(schema, message), messageBytesMax)
  return message
}
