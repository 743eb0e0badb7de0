import type { Environment } from '../environment.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { RpcMetrics } from '../observe/rpc-metrics.ts'
import type { Services } from '../service/services.ts'

/** What the gateway works with: one for the life of a Node server, one a request in a Worker. */
export interface Context {
  readonly services: Services
  readonly environment: Environment
  readonly metrics: Metrics
  readonly rpcMetrics: RpcMetrics
}
