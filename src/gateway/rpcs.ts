import {
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  isMessage,
  type MessageShape,
} from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import {
  Auth,
  Cluster,
  KV,
  Lease,
  Maintenance,
  Watch,
  WatchRequestSchema,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { http } from '../etcd/generated/google/api/annotations_pb.ts'
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
  /** The function that does it. Fails with Unimplemented when there is none. */
  handler(services: Services): Unary<DescMessage, DescMessage>
}

/** Many answers, to one request or to many. */
export interface StreamRpc extends RpcDescription {
  readonly kind: 'stream'
  readonly requests: 'one' | 'many'
  /** Goes on when its requests have ended, if one of them asked for something that may still come. */
  readonly outlivesRequests: ((request: MessageShape<DescMessage>) => boolean) | undefined
  /** The function that does it. Fails with Unimplemented when there is none. */
  handler(services: Services): Streaming<DescMessage, DescMessage>
}

export type Rpc = UnaryRpc | StreamRpc

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

/** Every RPC by its HTTP path, older spellings included, as the proto files' `google.api.http` options have them. */
export const RPCS: ReadonlyMap<string, Rpc> = new Map(
  IMPLEMENTATIONS.flatMap(([service, implementation]) =>
    service.methods.flatMap((method) => {
      const rpc = toRpc(method, implementation)
      return pathsOf(method).map((path) => [path, rpc] as const)
    }),
  ),
)

function toRpc(method: DescMethod, implementation: (services: Services) => object): Rpc {
  const { input, output, name, methodKind, localName } = method
  const description = { service: method.parent.typeName, method: name, input, output }
  const find = (services: Services) => {
    const found: unknown = Reflect.get(implementation(services), localName)
    if (found === undefined) throw unimplemented(description)
    return found
  }
  // Services types each function by its descriptor; here, where all RPCs are handled alike, that is forgotten.
  if (methodKind === 'unary') {
    return {
      kind: 'unary',
      ...description,
      handler: (services) => find(services) as ReturnType<UnaryRpc['handler']>,
    }
  }
  const requests = methodKind === 'server_streaming' ? 'one' : 'many'
  const handler: StreamRpc['handler'] = (services) => find(services) as ReturnType<StreamRpc['handler']>
  return {
    kind: 'stream',
    ...description,
    requests,
    outlivesRequests: method === Watch.method.watch ? createsWatch : undefined,
    handler,
  }
}

function createsWatch(request: MessageShape<DescMessage>): boolean {
  return isMessage(request, WatchRequestSchema) && request.requestUnion.case === 'createRequest'
}

function pathsOf(method: DescMethod): string[] {
  const rule = getOption(method, http)
  return [rule, ...rule.additionalBindings].flatMap(({ pattern }) =>
    pattern.case === 'post' ? [pattern.value] : [],
  )
}

function unimplemented({ service, method }: RpcDescription): EtcdError {
  return new EtcdError(GrpcCode.Unimplemented, `unknown method ${method} for service ${service}`)
}
