import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ResponseHeaderSchema } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Identity } from '../store/types.ts'

/** Makes the header of an answer of the store at `revision`. */
export type Header = (revision: bigint) => MessageInitShape<typeof ResponseHeaderSchema>

/** Headers with this identity. */
export function headerOf(identity: Identity): Header {
  return (revision) => ({ ...identity, revision })
}
