/**
 * etcd's flags that are no settings here (those are in setting-table.ts), each with what becomes of it: it is ignored
 * because it has nothing to act on, or refused where somebody relies on it and would not get it.
 */
import { readBoolean } from './settings.ts'

export interface EtcdFlag {
  /** Why it means nothing here, or why it is refused: half a sentence. */
  readonly why: string
  /** A switch, which needs no value. */
  readonly isSwitch?: true
  /** The values that are refused; all others are ignored. `shared`: the store is one that several servers can use. */
  readonly refuses?: { readonly when: string; test(value: string, shared: boolean): boolean }
}

const ignored = (why: string): EtcdFlag => ({ why })
const ignoredSwitch = (why: string): EtcdFlag => ({ why, isSwitch: true })

const RAFT = 'there is no Raft here: what is replicated, PostgreSQL replicates'
const BBOLT = "the store is PostgreSQL's, not a file of etcd's"
const PEERS = 'there are no peers; the connection to the database is secured by its URL (sslmode)'
const REPLICAS = 'the store is one, so there are no replicas that could differ'
const LEASES = 'the deadlines of leases are in the database, and outlast any server'
const TRACING = 'there is no tracing'
const DEFRAGMENT = 'PostgreSQL reuses freed space by itself'
const SELF = 'the server never calls itself'
const ALONE = 'each server would have a store of its own. Give all of them one PostgreSQL with --database-url'

/** Forms a cluster: fine where all members serve from one database, several stores without knowing it where they don't. */
const forms = (when: string, test: (value: string) => boolean): EtcdFlag => ({
  why: ALONE,
  refuses: { when: `${when} without --database-url`, test: (value, shared) => !shared && test(value) },
})
const discovery = forms('given', (value) => value !== '')

export const ETCD_FLAGS: Readonly<Record<string, EtcdFlag>> = {
  'wal-dir': ignored(BBOLT),
  'snapshot-count': ignored(RAFT),
  'heartbeat-interval': ignored(RAFT),
  'election-timeout': ignored(RAFT),
  'initial-election-tick-advance': ignoredSwitch(RAFT),
  'listen-peer-urls': ignored(PEERS),
  'max-snapshots': ignored(BBOLT),
  'max-wals': ignored(BBOLT),
  'memory-mlock': ignoredSwitch(BBOLT),
  'backend-bbolt-freelist-type': ignored(BBOLT),
  'backend-batch-interval': ignored('a batch is what arrives while the last one is written'),
  'backend-batch-limit': ignored('a batch is what arrives while the last one is written'),
  'grpc-keepalive-min-time': ignored('the pings of clients are answered however often they come'),
  'socket-reuse-port': ignoredSwitch(
    'Node can’t in all versions; a port that is in use is an error at start',
  ),
  'socket-reuse-address': ignoredSwitch('it is always on'),
  'enable-grpc-gateway': {
    why: 'the JSON gateway is always served',
    isSwitch: true,
    refuses: { when: 'false', test: (value) => readBoolean(value) === false },
  },
  'raft-read-timeout': ignored(RAFT),
  'raft-write-timeout': ignored(RAFT),
  'feature-gates': ignored('none of them is about anything that is here'),

  'initial-advertise-peer-urls': ignored(PEERS),
  'initial-cluster': forms('several members', (value) => value.split(',').filter((m) => m.trim()).length > 1),
  'initial-cluster-state': forms('existing', (value) => value === 'existing'),
  'initial-cluster-token': ignored('a cluster’s id is made with its store'),
  discovery,
  'discovery-token': discovery,
  'discovery-endpoints': discovery,
  'discovery-dial-timeout': ignored('nothing is discovered'),
  'discovery-request-timeout': ignored('nothing is discovered'),
  'discovery-keepalive-time': ignored('nothing is discovered'),
  'discovery-keepalive-timeout': ignored('nothing is discovered'),
  'discovery-insecure-transport': ignoredSwitch('nothing is discovered'),
  'discovery-insecure-skip-tls-verify': ignoredSwitch('nothing is discovered'),
  'discovery-cert': ignored('nothing is discovered'),
  'discovery-key': ignored('nothing is discovered'),
  'discovery-cacert': ignored('nothing is discovered'),
  'discovery-user': ignored('nothing is discovered'),
  'discovery-password': ignored('nothing is discovered'),
  'discovery-fallback': ignored('nothing is discovered'),
  'discovery-proxy': ignored('nothing is discovered'),
  'discovery-srv': discovery,
  'discovery-srv-name': discovery,
  'strict-reconfig-check': ignoredSwitch('the membership never changes'),
  'pre-vote': ignoredSwitch(RAFT),
  'v2-deprecation': ignored('there is no v2 store'),

  'client-cert-file': ignored(SELF),
  'client-key-file': ignored(SELF),
  'peer-cert-file': ignored(PEERS),
  'peer-key-file': ignored(PEERS),
  'peer-client-cert-auth': ignoredSwitch(PEERS),
  'peer-client-cert-file': ignored(PEERS),
  'peer-client-key-file': ignored(PEERS),
  'peer-trusted-ca-file': ignored(PEERS),
  'peer-cert-allowed-cn': ignored(PEERS),
  'peer-cert-allowed-hostname': ignored(PEERS),
  'peer-auto-tls': ignoredSwitch(PEERS),
  'peer-crl-file': ignored(PEERS),
  'peer-skip-client-san-verification': ignoredSwitch(PEERS),
  'bcrypt-cost': ignored('passwords are hashed by PBKDF2, with 100,000 rounds'),

  'enable-pprof': ignoredSwitch('Go’s profiler is not here; Node has --cpu-prof and --inspect'),
  logger: ignored('there is one logger'),
  'enable-log-rotation': ignoredSwitch(
    'files of --log-outputs only grow; let logrotate copy and truncate them',
  ),
  'log-rotation-config-json': ignored(
    'files of --log-outputs only grow; let logrotate copy and truncate them',
  ),
  'enable-distributed-tracing': ignoredSwitch(TRACING),
  'distributed-tracing-address': ignored(TRACING),
  'distributed-tracing-service-name': ignored(TRACING),
  'distributed-tracing-instance-id': ignored(TRACING),
  'distributed-tracing-sampling-rate': ignored(TRACING),

  'experimental-initial-corrupt-check': ignoredSwitch(REPLICAS),
  'corrupt-check-time': ignored(REPLICAS),
  'experimental-compact-hash-check-enabled': ignoredSwitch(REPLICAS),
  'compact-hash-check-time': ignored(REPLICAS),
  'experimental-enable-lease-checkpoint': ignoredSwitch(LEASES),
  'experimental-enable-lease-checkpoint-persist': ignoredSwitch(LEASES),
  'compaction-batch-limit': ignored('what is compacted is removed in batches of a fixed size'),
  'compaction-sleep-interval': ignored('what is compacted is removed in batches of a fixed size'),
  'experimental-txn-mode-write-with-shared-buffer': ignoredSwitch(BBOLT),
  'bootstrap-defrag-threshold-megabytes': ignored(DEFRAGMENT),
  'max-learners': ignored('the membership never changes'),
  'downgrade-check-time': ignored('there is no version to go back to'),
  'snapshot-catchup-entries': ignored(RAFT),
  'experimental-stop-grpc-service-on-defrag': ignoredSwitch('gRPC is served while the store is defragmented'),

  'force-new-cluster': {
    why: 'the membership is not in the store. After a restore run edgetcd recover',
    isSwitch: true,
    refuses: { when: 'true', test: (value) => readBoolean(value) !== false },
  },
  'unsafe-no-fsync': ignoredSwitch('whether commits are synced is a setting of PostgreSQL'),
}

/**
 * The flags whose name etcd 3.6 changed; the old one means the same. Those that became a feature gate have no new name.
 */
export const OLD_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'enable-distributed-tracing',
    'distributed-tracing-address',
    'distributed-tracing-service-name',
    'distributed-tracing-instance-id',
    'distributed-tracing-sampling-rate',
    'corrupt-check-time',
    'compact-hash-check-time',
    'compaction-batch-limit',
    'peer-skip-client-san-verification',
    'watch-progress-notify-interval',
    'warning-apply-duration',
    'bootstrap-defrag-threshold-megabytes',
    'warning-unary-request-duration',
    'compaction-sleep-interval',
    'downgrade-check-time',
    'memory-mlock',
    'snapshot-catchup-entries',
  ].map((name) => [`experimental-${name}`, name]),
)
