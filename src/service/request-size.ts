import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { EtcdError } from '../etcd/errors.ts'
import { type Proposer, proposalSize } from '../etcd/proposal-size.ts'

/** What a request takes beside its keys and values: its other fields and its envelope, at most. */
const OVERHEAD_BYTES_MAX = 128

/**
 * Holds a request that would go through consensus to etcd's --max-request-bytes, measured as etcd does: the
 * user who asks counts. `payloadBytes` (its keys and values), where they are known, spare small requests the measuring.
 * Gives the size in bytes, roughly.
 * @throws EtcdError RequestTooLarge
 */
export function checkRequestSize<T extends DescMessage>(
  schema: T,
  request: MessageShape<T>,
  payloadBytes: number | undefined,
  proposer: Proposer | undefined,
  bytesMax: number,
): number {
  const overheadBytesMax = OVERHEAD_BYTES_MAX + (proposer === undefined ? 0 : proposer.name.length * 4)
  if (payloadBytes !== undefined && payloadBytes + overheadBytesMax < bytesMax) return payloadBytes
  const bytes = proposalSize(schema, request, proposer)
  if (bytes > bytesMax) throw EtcdError.of('RequestTooLarge')
  return bytes
}
