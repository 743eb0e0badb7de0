import { codeName, type GrpcCode } from '../etcd/errors.ts'
import type { Counter, Histogram, Metrics } from './metrics.ts'

/** What is counted of an RPC is told apart by this. */
export interface RpcLabels {
  readonly service: string
  readonly method: string
  readonly kind: 'unary' | 'stream'
  /** Of a stream: how many requests there are. */
  readonly requests?: 'one' | 'many'
}

/** Says how an RPC ended. */
export type Done = (code: GrpcCode | 'OK') => void

/** Counts RPCs by the names that etcd's own metrics have, so that its dashboards and alerts read them. */
export interface RpcMetrics {
  /** Counts the start of an RPC, and its end when the result is called. */
  started(rpc: RpcLabels): Done
}

/** Prometheus' own default buckets, which are etcd's. */
const SECONDS_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** `extensive`: with how long RPCs take. */
export function createRpcMetrics(metrics: Metrics, detail: 'basic' | 'extensive' = 'basic'): RpcMetrics {
  const labels = ['grpc_method', 'grpc_service', 'grpc_type']
  const started = metrics.counter(
    'grpc_server_started_total',
    'Total number of RPCs started on the server.',
    labels,
  )
  const handled = metrics.counter(
    'grpc_server_handled_total',
    'Total number of RPCs completed on the server, regardless of success or failure.',
    ['grpc_code', ...labels],
  )
  const seconds =
    detail === 'extensive'
      ? metrics.histograms(
          'grpc_server_handling_seconds',
          'Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.',
          SECONDS_BOUNDS,
          labels,
        )
      : undefined
  /** The counters of each RPC are looked up once; an RPC is one object for the whole life of a process. */
  const known = new WeakMap<RpcLabels, { started: Counter; done: Done; took: Histogram | undefined }>()
  const counters = (rpc: RpcLabels) => {
    const values = [rpc.method, rpc.service, typeOf(rpc)]
    const byCode = new Map<GrpcCode | 'OK', Counter>()
    const done: Done = (code) => {
      let counter = byCode.get(code)
      if (counter === undefined) {
        counter = handled.labels(code === 'OK' ? code : codeName(code), ...values)
        byCode.set(code, counter)
      }
      counter.add(1)
    }
    return { started: started.labels(...values), done, took: seconds?.labels(...values) }
  }
  return {
    started(rpc) {
      let found = known.get(rpc)
      if (found === undefined) {
        found = counters(rpc)
        known.set(rpc, found)
      }
      found.started.add(1)
      return found.took === undefined ? found.done : timed(found.done, found.took)
    },
  }
}

/** gRPC's word for it. */
function typeOf({ kind, requests }: RpcLabels): string {
  if (kind === 'unary') return kind
  return requests === 'many' ? 'bidi_stream' : 'server_stream'
}

function timed(done: Done, took: Histogram): Done {
  const startMs = performance.now()
  return (code) => {
    took.observe((performance.now() - startMs) / 1000)
    done(code)
  }
}
