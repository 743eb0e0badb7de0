/**
 * Every setting of edgetcd: what it takes, what it is by default and what it is for. One table for the flags of the
 * command line, for the environment, for configuration files and for a Worker's variables. A setting that etcd has is
 * named as etcd names it, and means the same; etcd's other flags are in etcd-flags.ts.
 */
import * as z from 'zod/mini'
import { LIMITS } from '../etcd/limits.ts'
import { LOG_FORMATS, LOG_THRESHOLDS } from '../observe/log.ts'
import {
  Bytes,
  DatabaseUrl,
  Duration,
  Flag,
  Interval,
  List,
  Origins,
  SchemaName,
  StoreAddresses,
  Streams,
  Urls,
  Whole,
} from './settings.ts'

const Path = z.optional(z.string())
const TlsVersion = z.enum(['TLS1.2', 'TLS1.3'])

export const Settings = z.object({
  name: z._default(z.string(), 'default'),
  'listen-client-urls': z._default(Urls, ['http://127.0.0.1:2379']),
  'listen-client-http-urls': z.optional(Urls),
  'listen-metrics-urls': z._default(Urls, []),
  'advertise-client-urls': z.optional(Urls),

  'database-url': z.optional(DatabaseUrl),
  'data-dir': z._default(z.string(), 'edgetcd.data'),
  schema: z._default(SchemaName, 'etcd'),
  store: z._default(StoreAddresses, []),
  'auto-compaction-mode': z._default(z.enum(['periodic', 'revision']), 'periodic'),
  'auto-compaction-retention': z._default(z.string(), '0'),
  'quota-backend-bytes': z._default(Bytes, 0n),

  'max-txn-ops': z._default(Whole, LIMITS.txnOpsMax),
  'max-request-bytes': z._default(Whole, LIMITS.requestBytesMax),
  'stream-max-duration': z._default(Duration, 0),
  'poll-interval': z._default(Interval, 500),
  'watch-progress-notify-interval': z._default(Interval, LIMITS.watchProgressIntervalMs),

  'max-concurrent-streams': z._default(Streams, LIMITS.grpcStreamsMax),
  'grpc-keepalive-interval': z._default(Duration, LIMITS.grpcKeepaliveIntervalMs),
  'grpc-keepalive-timeout': z._default(Duration, LIMITS.grpcKeepaliveTimeoutMs),

  cors: z._default(Origins, ['*']),
  'host-whitelist': z._default(List, ['*']),

  'cert-file': Path,
  'key-file': Path,
  'trusted-ca-file': Path,
  'client-cert-auth': z._default(Flag, false),
  'client-crl-file': Path,
  'client-cert-allowed-hostname': z._default(List, []),
  'auto-tls': z._default(Flag, false),
  'self-signed-cert-validity': z._default(Whole, 1),
  'tls-min-version': z._default(TlsVersion, 'TLS1.2'),
  'tls-max-version': z.optional(TlsVersion),
  'cipher-suites': z._default(List, []),

  'auth-token': z._default(z.string(), 'simple'),
  'auth-token-ttl': z._default(Whole, 3600),
  'auth-token-key': z.optional(z.string()),

  'log-level': z._default(z.enum(LOG_THRESHOLDS), 'info'),
  'log-format': z._default(z.enum(LOG_FORMATS), 'json'),
  'log-outputs': z._default(List, ['default']),
  'warning-apply-duration': z._default(Duration, 100),
  'warning-unary-request-duration': z._default(Duration, 300),
  metrics: z._default(z.enum(['basic', 'extensive']), 'basic'),
})

export type Setting = keyof z.output<typeof Settings>

export const SETTING_NAMES = Object.keys(Settings.shape) as readonly Setting[]

/** What a flag takes (nothing: it is a switch), and what it is for. */
type Help = readonly [value: string, help: string]

/** Every setting once, in the order and under the headings of `edgetcd --help`. */
export const SETTING_GROUPS: Readonly<Record<string, Readonly<Partial<Record<Setting, Help>>>>> = {
  Server: {
    name: ['NAME', "the member's name (default)"],
    'listen-client-urls': ['URLS', 'where to listen, http or https (http://127.0.0.1:2379)'],
    'listen-client-http-urls': ['URLS', 'where to listen besides'],
    'listen-metrics-urls': ['URLS', 'where to serve /metrics and /health besides'],
    'advertise-client-urls': ['URLS', 'where clients find the server, told in the member list (as listened)'],
  },
  Data: {
    'database-url': ['URL', 'the PostgreSQL to serve from; also DATABASE_URL (an embedded one)'],
    'data-dir': ['DIR', 'where the embedded PostgreSQL keeps its data (edgetcd.data)'],
    schema: ['NAME', 'the schema in the database that holds the store (etcd)'],
    store: [
      'NAME=ADDRESS',
      'serve several stores instead: NAME=http://HOST:PORT or NAME=//HOST; may be repeated',
    ],
    'auto-compaction-mode': ['MODE', 'what to keep: periodic or revision (periodic)'],
    'auto-compaction-retention': ['N', 'how much of it: hours or a duration, or revisions; 0: all (0)'],
    'quota-backend-bytes': ['N', 'size at which NOSPACE is raised; 0: 2 GiB, -1: never (0)'],
  },
  Requests: {
    'max-txn-ops': ['N', `operations in one transaction (${LIMITS.txnOpsMax})`],
    'max-request-bytes': ['N', `size of one request that writes (${LIMITS.requestBytesMax})`],
    'stream-max-duration': ['TIME', 'a watch stream ends cleanly after this; 0: never (0)'],
    'poll-interval': ['TIME', "how often a watch looks for other servers' writes, at most (500ms)"],
    'watch-progress-notify-interval': [
      'TIME',
      'how often an idle watch that asked for it hears the revision (10m)',
    ],
  },
  gRPC: {
    'max-concurrent-streams': ['N', 'calls of one connection at a time (4294967295)'],
    'grpc-keepalive-interval': ['TIME', 'how often an idle connection is pinged (2h)'],
    'grpc-keepalive-timeout': ['TIME', 'without an answer in this time it is closed (20s)'],
  },
  Browsers: {
    cors: ['ORIGINS', 'whose pages may read the answers, separated by commas (*)'],
    'host-whitelist': ['NAMES', 'host names that requests without TLS may have (*)'],
  },
  TLS: {
    'cert-file': ['FILE', "the server's certificate, with its chain; read again when it changes"],
    'key-file': ['FILE', 'the key to it'],
    'trusted-ca-file': ['FILE', 'the authorities of client certificates, which are then required'],
    'client-cert-auth': ['', 'require a client certificate'],
    'client-crl-file': ['FILE', 'client certificates that are revoked'],
    'client-cert-allowed-hostname': ['NAMES', 'only client certificates for one of these names'],
    'auto-tls': ['', 'make a certificate, and keep it in the data directory'],
    'self-signed-cert-validity': ['YEARS', 'how long that one is valid (1)'],
    'tls-min-version': ['VERSION', 'TLS1.2 or TLS1.3 (TLS1.2)'],
    'tls-max-version': ['VERSION', 'TLS1.2 or TLS1.3 (the newest)'],
    'cipher-suites': ['NAMES', "suites for TLS 1.2, by etcd's names (Node's)"],
  },
  Tokens: {
    'auth-token': ['TYPE', 'simple, or jwt,sign-method=…,pub-key=…,priv-key=…,ttl=… (simple)'],
    'auth-token-ttl': ['SECONDS', 'how long a token is valid (3600)'],
    'auth-token-key': ['SECRET', 'signs tokens, at least 32 bytes (one kept in the database)'],
  },
  Logs: {
    'log-level': ['LEVEL', `${LOG_THRESHOLDS.join(', ')} (info)`],
    'log-format': ['FORMAT', 'json or console (json)'],
    'log-outputs': ['TARGETS', 'stderr, stdout, files (stderr)'],
    'warning-apply-duration': ['TIME', 'statements slower than this are logged; 0: none (100ms)'],
    'warning-unary-request-duration': ['TIME', 'calls slower than this are logged; 0: none (300ms)'],
    metrics: ['DETAIL', 'basic, or extensive: how long calls take, too (basic)'],
  },
}

/** Whether a setting is a switch, which as a flag needs no value. */
export function isSwitch(name: Setting): boolean {
  return helpOf(name)[0] === ''
}

/** What a setting takes and what it is for. */
function helpOf(name: Setting): Help {
  for (const group of Object.values(SETTING_GROUPS)) {
    const help = group[name]
    if (help !== undefined) return help
  }
  throw new Error(`--${name} is under no heading of --help`)
}
