import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { EtcdError } from '../etcd/errors.ts'
import { proposalSize } from '../etcd/proposal-size.ts'

/** What a small request's other fields and its envelope take beside its keys and values, at most. */
const OVERHEAD_BYTES_MAX = 96

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
  if (payloadBytes !== undefined && payloadBytes + OVERHEAD_BYTES_MAX < bytesMax) return payloadBytes
  const bytes = proposalSize(schema, request)
  if (bytes > bytesMax) throw EtcdError.of('RequestTooLarge')
  return bytes
}
