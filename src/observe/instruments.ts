import { EDGETCD_VERSION, ETCD_VERSION } from '../version.ts'
import { type Histogram, Metrics } from './metrics.ts'
import { createRpcMetrics, type RpcMetrics } from './rpc-metrics.ts'

/** What is counted: once for a process or isolate, whatever lives shorter within it. */
export interface Instruments {
  readonly metrics: Metrics
  readonly rpcs: RpcMetrics
  /** How many requests shared one write statement. */
  readonly batchRequests: Histogram
}

const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

export function createInstruments(): Instruments {
  const metrics = new Metrics()
  const one = () => 1
  metrics.gauge('edgetcd_build_info', 'Which edgetcd is running.', one, { version: EDGETCD_VERSION })
  metrics.gauge('etcd_server_version', "Which etcd's behaviour this is.", one, {
    server_version: ETCD_VERSION,
  })
  return {
    metrics,
    rpcs: createRpcMetrics(metrics),
    batchRequests: metrics.histogram(
      'edgetcd_batch_requests',
      'Requests that shared one write statement.',
      BATCH_BOUNDS,
    ),
  }
}
