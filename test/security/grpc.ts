import { once } from 'node:events'
import { type DescMethod, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { KV } from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { ROUTES } from '../../src/gateway/routes.ts'
import { type AskOptions, statusOf, TestClient } from '../../src/grpc/testing/client.ts'
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

/** Asks an RPC over gRPC, with the body that the gateway's would have, and gives what is told first. */
export async function askByGrpc(
  { url }: Edgetcd,
  token: string | undefined,
  path: string,
  body: JsonObject,
): Promise<Told> {
  const method = methodAt(path)
  const client = clients.get(url) ?? new TestClient(new URL(url).host)
  clients.set(url, client)
  const options = token === undefined ? {} : { metadata: { token } }
  // Unknown fields are none to the gateway either.
  const request = fromJson(method.input, body as JsonValue, { ignoreUnknownFields: true })
  const bytes = Buffer.from(toBinary(method.input, request))
  try {
    const answer = await firstAnswer(client, method, bytes, options)
    const json = toJson(method.output, answer, { useProtoFieldName: true })
    return told({ result: json as JsonObject })
  } catch (error) {
    return { error: statusOf(error)[1] }
  }
}

export function closeGrpcClients(): void {
  for (const client of clients.values()) client[Symbol.dispose]()
  clients.clear()
}

async function firstAnswer(client: TestClient, method: DescMethod, bytes: Buffer, options: AskOptions) {
  if (method.methodKind === 'unary') return await client.askBytes(method, bytes, options)
  const stream = client.openBytes(method, options)
  stream.write(bytes)
  if (method.methodKind === 'server_streaming') stream.end()
  const [first] = await once(stream, 'data')
  stream.on('error', () => {})
  stream.cancel()
  return first
}
