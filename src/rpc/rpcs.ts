import {
  type DescMessage,
  type DescMethod,
  type DescService,
  isMessage,
  type MessageShape,
} from '@bufbuild/protobuf'
import {
  Auth,
  Cluster,
  KV,
  Lease,
  Maintenance,
  RangeRequestSchema,
  RangeResponseSchema,
  Watch,
  WatchRequestSchema,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { Election } from '../etcd/generated/v3electionpb/election_pb.ts'
import { Lock } from '../etcd/generated/v3lockpb/lock_pb.ts'
import type { Streaming, Unary } from '../service/call.ts'
import type { Services } from '../service/services.ts'

interface RpcDescription {
  /** Fully qualified, as gRPC has it: `etcdserverpb.KV`. */
  readonly service: string
  readonly method: string
  readonly input: DescMessage
  readonly output: DescMessage
}

/** One request, one answer. */
export interface UnaryRpc extends RpcDescription {
  readonly kind: 'unary'
  /** The function that does it. */
  handler(services: Services): Unary<DescMessage, DescMessage>
  /** The same as a stream, for those who ask for its media type. */
  readonly stream: StreamRpc | undefined
}

/** Many answers, to one request or to many. */
export interface StreamRpc extends RpcDescription {
  readonly kind: 'stream'
  readonly requests: 'one' | 'many'
  /** Goes on when its requests have ended, if one of them asked for something that may still come. */
  readonly outlivesRequests: ((request: MessageShape<DescMessage>) => boolean) | undefined
  /** Has an end of its own: half of it is worth nothing, so it is never ended early as if that were all. */
  readonly isFinite: boolean
  /** The function that does it. */
  handler(services: Services): Streaming<DescMessage, DescMessage>
  /** Of its answer. */
  readonly mediaType: string
}

export type Rpc = UnaryRpc | StreamRpc

/** Whether a stream goes on until somebody ends it. Where it ends by itself, more may be to come nonetheless. */
export function isEndless(rpc: StreamRpc): boolean {
  return !rpc.isFinite && (rpc.requests === 'one' || rpc.outlivesRequests !== undefined)
}

const IMPLEMENTATIONS: [DescService, (services: Services) => object][] = [
  [KV, (services) => services.kv],
  [Lease, (services) => services.lease],
  [Watch, (services) => services.watch],
  [Cluster, (services) => services.cluster],
  [Maintenance, (services) => services.maintenance],
  [Auth, (services) => services.auth],
  [Lock, (services) => services.lock],
  [Election, (services) => services.election],
]

/** etcd 3.7 has it over gRPC alone, where another message is wrapped around each chunk. */
const RANGE_STREAM: StreamRpc = {
  kind: 'stream',
  service: KV.typeName,
  method: 'RangeStream',
  input: RangeRequestSchema,
  output: RangeResponseSchema,
  requests: 'one',
  outlivesRequests: undefined,
  isFinite: true,
  handler: (services) => {
    const { rangeInChunks } = services.kv
    return async function* (requests, call) {
      for await (const request of requests) {
        if (isMessage(request, RangeRequestSchema)) yield* rangeInChunks(request, call)
      }
    }
  },
  mediaType: 'application/x-ndjson',
}

/** Every RPC of etcd's, by its descriptor. */
export const RPCS: ReadonlyMap<DescMethod, Rpc> = new Map(
  IMPLEMENTATIONS.flatMap(([service, implementation]) =>
    service.methods.map((method) => [method, toRpc(method, implementation)] as const),
  ),
)

function toRpc(method: DescMethod, implementation: (services: Services) => object): Rpc {
  const { input, output, name, methodKind, localName } = method
  const description = { service: method.parent.typeName, method: name, input, output }
  // Services types each function by its descriptor; here, where all RPCs are handled alike, that is forgotten.
  const find = (services: Services): unknown => Reflect.get(implementation(services), localName)
  if (methodKind === 'unary') {
    return {
      kind: 'unary',
      ...description,
      handler: (services) => find(services) as ReturnType<UnaryRpc['handler']>,
      stream: method === KV.method.range ? RANGE_STREAM : undefined,
    }
  }
  const requests = methodKind === 'server_streaming' ? 'one' : 'many'
  const handler: StreamRpc['handler'] = (services) => find(services) as ReturnType<StreamRpc['handler']>
  return {
    kind: 'stream',
    ...description,
    requests,
    outlivesRequests: method === Watch.method.watch ? createsWatch : undefined,
    isFinite: method === Maintenance.method.snapshot || method === KV.method.rangeStream,
    handler,
    mediaType: 'application/json',
  }
}

function createsWatch(request: MessageShape<DescMessage>): boolean {
  return isMessage(request, WatchRequestSchema) && request.requestUnion.case === 'createRequest'
}
