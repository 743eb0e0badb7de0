/**
 * The JSON mapping of etcd's gateway, exactly: Go's protojson as grpc-gateway configures it, with Go's words in every
 * error. Driven by the descriptors of the generated messages.
 */
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { type BytesForm, messageTable, type PlainMessage } from '../../etcd/message-table.ts'
import { encode } from './encode.ts'
import { decodeExact } from './exact.ts'
import { decodeFast } from './fast.ts'

export type { BytesForm } from '../../etcd/message-table.ts'
export { protobufSize } from '../../etcd/protobuf-size.ts'
export { JsonStream } from './stream.ts'

/**
 * Reads a request from the first JSON value of a body; what follows that value is ignored, and a body of nothing but
 * space is `{}`. Throws an InvalidArgument with the message that etcd answers.
 */
export function decodeJson<I extends DescMessage>(
  schema: I,
  body: Uint8Array,
  form: BytesForm = 'base64',
): MessageShape<I> {
  const table = messageTable(schema, form)
  return (decodeFast(table, body) ?? decodeExact(table, body)) as MessageShape<I>
}

/**
 * Writes an answer as etcd does, without space. Takes a message, or an initializer in which missing properties are
 * unset fields and a oneof is `{ case, value }`.
 */
export function encodeJson<O extends DescMessage>(
  schema: O,
  message: MessageInitShape<O>,
  form: BytesForm = 'base64',
): string {
  return encode(messageTable(schema, form), message as PlainMessage)
}
