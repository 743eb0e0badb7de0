import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { EtcdError } from '../etcd/errors.ts'

/**
 * What etcd wraps a request in before it measures it: a header with a random 64-bit id (tag, length, tag and ten bytes at
 * most) and the tag and length of the request itself.
 */
const ENVELOPE_BYTES = 17
/** What a request's other fields take beside its keys and values, at most. */
const FIELDS_BYTES_MAX = 64

/**
 * Holds a request that goes through consensus to etcd's --max-request-bytes, measured as etcd does: the protobuf with
 * its envelope. `payloadBytes` (the keys and values) spares small requests the measuring. Gives the size in bytes.
 * @throws EtcdError RequestTooLarge
 */
export function checkRequestSize<T extends DescMessage>(
  schema: T,
  request: MessageShape<T>,
  payloadBytes: number | undefined,
  bytesMax: number,
): number {
  if (payloadBytes !== undefined && payloadBytes + FIELDS_BYTES_MAX + ENVELOPE_BYTES < bytesMax)
    return payloadBytes
  const bytes = toBinary(schema, request).length + ENVELOPE_BYTES
  if (bytes > bytesMax) throw EtcdError.of('RequestTooLarge')
  return bytes
}
