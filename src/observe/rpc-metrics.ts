import { GrpcCode } from '../etcd/errors.ts'
import type { Counter, Metrics } from './metrics.ts'

/** What is counted of an RPC is told apart by this. */
export interface RpcLabels {
  readonly service: string
  readonly method: string
  readonly kind: 'unary' | 'stream'
}

/** Says how an RPC ended. */
export type Done = (code: GrpcCode | 'OK') => void

/** Counts RPCs by the names that etcd's own metrics have, so that its dashboards and alerts read them. */
export interface RpcMetrics {
  /** Counts the start of an RPC, and its end when the result is called. */
  started(rpc: RpcLabels): Done
}

const CODE_NAMES = new Map<GrpcCode | 'OK', string>([
  ['OK', 'OK'],
  ...Object.entries(GrpcCode).map(([name, code]) => [code, name] as const),
])

export function createRpcMetrics(metrics: Metrics): RpcMetrics {
  const labels = ['grpc_method', 'grpc_service', 'grpc_type']
  const started = metrics.counter('grpc_server_started_total', 'RPCs started on the server.', labels)
  const handled = metrics.counter('grpc_server_handled_total', 'RPCs completed on the server, by result.', [
    'grpc_code',
    ...labels,
  ])
  /** The counters of each RPC are looked up once; an RPC is one object for the whole life of a process. */
  const known = new WeakMap<RpcLabels, { started: Counter; done: Done }>()
  const counters = (rpc: RpcLabels) => {
    const values = [rpc.method, rpc.service, rpc.kind]
    const byCode = new Map<GrpcCode | 'OK', Counter>()
    const done: Done = (code) => {
      let counter = byCode.get(code)
      if (counter === undefined) {
        counter = handled.labels(CODE_NAMES.get(code) ?? 'Unknown', ...values)
        byCode.set(code, counter)
      }
      counter.add(1)
    }
    return { started: started.labels(...values), done }
  }
  return {
    started(rpc) {
      let found = known.get(rpc)
      if (found === undefined) {
        found = counters(rpc)
        known.set(rpc, found)
      }
      found.started.add(1)
      return found.done
    },
  }
}
