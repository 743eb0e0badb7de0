import { EDGETCD_VERSION, ETCD_CLUSTER_VERSION, ETCD_VERSION } from '../version.ts'
import { type Counter, type Histogram, Metrics } from './metrics.ts'
import { createRpcMetrics, type RpcMetrics } from './rpc-metrics.ts'
import { StoreGauges } from './store-gauges.ts'

/** What is counted: once for a process or isolate, whatever lives shorter within it. */
export interface Instruments {
  readonly metrics: Metrics
  readonly rpcs: RpcMetrics
  /** How many requests shared one write statement, and how long it took, in seconds. */
  readonly batchRequests: Histogram
  readonly commitSeconds: Histogram
  readonly slowStatements: Counter
  readonly operations: OperationCounters
  readonly leases: LeaseCounters
  /** Runs of the timer or of the scheduled trigger that failed. */
  readonly triggerFailures: Counter
  readonly store: StoreGauges
}

/** Operations on keys, those inside transactions included. */
export interface OperationCounters {
  readonly ranges: Counter
  readonly puts: Counter
  readonly deletes: Counter
  readonly txns: Counter
}

export interface LeaseCounters {
  readonly granted: Counter
  readonly renewed: Counter
  readonly revoked: Counter
}

const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
const COMMIT_BOUNDS = [
  0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096,
]

/** `extensive`: with how long RPCs take, as etcd's `--metrics extensive`. */
export function createInstruments(detail: 'basic' | 'extensive' = 'basic'): Instruments {
  const metrics = new Metrics()
  const counter = (name: string, help: string) => metrics.counter(name, help).labels()
  const one = () => 1
  metrics.gauge('edgetcd_build_info', 'Which edgetcd is running.', one, { version: EDGETCD_VERSION })
  metrics.gauge(
    'etcd_server_version',
    "Which version is running. 1 for 'server_version' label with current version.",
    one,
    { server_version: ETCD_VERSION },
  )
  metrics.gauge(
    'etcd_cluster_version',
    "Which version is running. 1 for 'cluster_version' label with current cluster version",
    one,
    { cluster_version: ETCD_CLUSTER_VERSION.replace(/\.0$/, '') },
  )
  return {
    metrics,
    rpcs: createRpcMetrics(metrics, detail),
    batchRequests: metrics.histogram(
      'edgetcd_batch_requests',
      'Requests that shared one write statement.',
      BATCH_BOUNDS,
    ),
    commitSeconds: metrics.histogram(
      'edgetcd_commit_seconds',
      'How long a write statement takes until the database has committed it.',
      COMMIT_BOUNDS,
    ),
    slowStatements: counter(
      'etcd_server_slow_apply_total',
      'The total number of slow apply requests (likely overloaded from slow disk).',
    ),
    operations: {
      ranges: counter('etcd_mvcc_range_total', 'Total number of ranges seen by this member.'),
      puts: counter('etcd_mvcc_put_total', 'Total number of puts seen by this member.'),
      deletes: counter('etcd_mvcc_delete_total', 'Total number of deletes seen by this member.'),
      txns: counter('etcd_mvcc_txn_total', 'Total number of txns seen by this member.'),
    },
    leases: {
      granted: counter('etcd_debugging_lease_granted_total', 'The total number of granted leases.'),
      renewed: counter(
        'etcd_debugging_lease_renewed_total',
        'The number of renewed leases seen by the leader.',
      ),
      revoked: counter('etcd_debugging_lease_revoked_total', 'The total number of revoked leases.'),
    },
    triggerFailures: counter(
      'edgetcd_trigger_failures_total',
      'Runs of the compaction timer or of the scheduled trigger that failed here.',
    ),
    store: new StoreGauges(metrics),
  }
}
