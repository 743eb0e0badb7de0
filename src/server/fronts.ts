import type { Config } from '../config/config.ts'
import type { Context } from '../gateway/context.ts'
import { createGateway, type Gateway } from '../gateway/node.ts'
import { createGrpcServer, type GrpcServer } from '../grpc/server.ts'
import type { Metrics } from '../observe/metrics.ts'
import { gatewayByHost } from './gateway-by-host.ts'
import { overallContext } from './overall-context.ts'
import type { ServedStore } from './served-store.ts'

/** What listens on some URLs. */
export interface Front {
  readonly urls: readonly string[]
  readonly gateway: Gateway
  /** Undefined where clients have no business. */
  readonly grpc?: GrpcServer
}

/** The fronts of a server: one for each store that has URLs of its own, one for those with host names, one for metrics. */
export function frontsOf(config: Config, stores: readonly ServedStore[], ofProcess: Metrics): Front[] {
  const grpcOptions = {
    certificatesNameUsers: config.tls?.clients?.nameUsers,
    streamsMax: config.maxConcurrentStreams,
    keepaliveIntervalMs: config.grpcKeepaliveInterval,
    keepaliveTimeoutMs: config.grpcKeepaliveTimeout,
  }
  const fronts: Front[] = stores
    .filter(({ address }) => address.urls.length > 0)
    .map(({ address, context }) => ({
      urls: address.urls,
      gateway: createGateway(context),
      grpc: createGrpcServer(context, grpcOptions),
    }))
  const byHost = new Map<string, Context>(
    stores.flatMap(({ address, context }) => address.hosts.map((host) => [host, context])),
  )
  if (byHost.size > 0) {
    fronts.push({
      urls: config.listenClientUrls,
      gateway: gatewayByHost(new Map([...byHost].map(([host, context]) => [host, createGateway(context)]))),
      grpc: createGrpcServer(byHost, grpcOptions),
    })
  }
  const [first, ...others] = stores
  if (first !== undefined && config.listenMetricsUrls.length > 0) {
    const context = others.length === 0 ? first.context : overallContext(first, stores, ofProcess)
    fronts.push({ urls: config.listenMetricsUrls, gateway: createGateway(context, 'operations') })
  }
  return fronts
}
