import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { EtcdError } from '../etcd/errors.ts'
import { proposalSize } from '../etcd/proposal-size.ts'

/** What a request takes beside its keys and values: its other fields and its envelope, at most. */
const OVERHEAD_BYTES_MAX = 128

/**
 * Holds a request that would go through consensus to etcd's --max-request-bytes, measured as etcd does. `payloadBytes`
 * (its keys and values), where they are known, spare small requests the measuring. Gives the size in bytes, roughly.
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
