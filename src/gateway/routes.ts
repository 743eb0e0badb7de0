import { type DescMethod, getOption } from '@bufbuild/protobuf'
import { http } from '../etcd/generated/google/api/annotations_pb.ts'
import { RPCS, type Rpc } from '../rpc/rpcs.ts'
import { namesMediaType } from './media-type.ts'

/** Every RPC by its HTTP path, older spellings included, as the proto files' `google.api.http` options have them. */
export const ROUTES: ReadonlyMap<string, Rpc> = new Map(
  [...RPCS].flatMap(([method, rpc]) => pathsOf(method).map((path) => [path, rpc] as const)),
)

/** What answers a client that takes these media types: an RPC, or its stream. */
export function rpcFor(accept: string | undefined, rpc: Rpc): Rpc {
  const stream = rpc.kind === 'unary' ? rpc.stream : undefined
  return stream !== undefined && namesMediaType(accept, stream.mediaType) ? stream : rpc
}

function pathsOf(method: DescMethod): string[] {
  const rule = getOption(method, http)
  return [rule, ...rule.additionalBindings].flatMap(({ pattern }) =>
    pattern.case === 'post' ? [pattern.value] : [],
  )
}
