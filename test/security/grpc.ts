import { once } from 'node:events'
import { type DescMethod, fromJson, type JsonValue, type Message, toBinary, toJson } from '@bufbuild/protobuf'
import { KV } from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { ROUTES } from '../../src/gateway/routes.ts'
import { statusOf, TestClient } from '../../src/grpc/testing/client.ts'
import { RPCS } from '../../src/rpc/rpcs.ts'
import type { Edgetcd } from '../support/edgetcd.ts'
import type { JsonObject } from '../support/gateway.ts'
import { type Told, told } from './scene.ts'

/** RPCs that have no path of the gateway's own, by the names that gRPC has for them; with the asks of another. */
const ALONE: Readonly<Record<string, { readonly method: DescMethod; readonly like: string }>> = {
  '/etcdserverpb.KV/RangeStream': { method: KV.method.rangeStream, like: '/v3/kv/range' },
}

/** The same asks over gRPC: those of the gateway's paths, and of what only gRPC has. */
export function grpcAsks<A>(asks: Readonly<Record<string, readonly A[]>>): Record<string, readonly A[]> {
  const alone = Object.entries(ALONE).map(([path, { like }]) => [path, asks[like] ?? []] as const)
  return { ...Object.fromEntries(alone), ...asks }
}

/** All methods that these paths stand for. */
export function methodsOf(paths: readonly string[]): Set<DescMethod> {
  return new Set(paths.map(methodAt))
}

function methodAt(path: string): DescMethod {
  const rpc = ROUTES.get(path)
  const method = ALONE[path]?.method ?? [...RPCS].find(([, other]) => other === rpc)?.[0]
  if (method === undefined) throw new Error(`no RPC at ${path}`)
  return method
}

const clients = new Map<string, TestClient>()

export function closeGrpcClients(): void {
  for (const client of clients.values()) client[Symbol.dispose]()
  clients.clear()
}

/** Asks an RPC over gRPC, with the body that the gateway's would have; its answers are as the gateway has them. */
export function openByGrpc(url: string, path: string, token: string | undefined, body: JsonObject) {
  const method = methodAt(path)
  const client = clients.get(url) ?? new TestClient(new URL(url).host)
  clients.set(url, client)
  // Unknown fields are none to the gateway either.
  const request = fromJson(method.input, body as JsonValue, { ignoreUnknownFields: true })
  const read = (answer: Message) => toJson(method.output, answer, { useProtoFieldName: true }) as JsonObject
  const call = client.openBytes(method, read, token === undefined ? {} : { metadata: { token } })
  call.write(Buffer.from(toBinary(method.input, request)))
  // Those may have more requests, which is what keeps them going.
  if (method.methodKind !== 'bidi_streaming') call.end()
  return call
}

/** The same, at a server; gives what is told first. */
export async function askByGrpc(
  { url }: Edgetcd,
  token: string | undefined,
  path: string,
  body: JsonObject,
): Promise<Told> {
  const call = openByGrpc(url, path, token, body)
  try {
    const [answer] = await once(call, 'data')
    return told({ result: answer })
  } catch (error) {
    return { error: statusOf(error)[1] }
  } finally {
    call.on('error', () => {})
    call.cancel()
  }
}
