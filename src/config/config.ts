import type * as z from 'zod/mini'
import { LIMITS } from '../etcd/limits.ts'
import type { Retention } from '../service/compactor/index.ts'
import { type AuthTokenSettings, type ReadFile, readAuthToken } from './auth-token-settings.ts'
import { ConfigError } from './config-error.ts'
import type { ConfigFile } from './config-file.ts'
import { type Setting, Settings } from './setting-table.ts'
import { readDurationMs } from './settings.ts'
import { type Flags, type Given, gatherSources, type Sources, type Variables } from './sources.ts'
import type { StoreAddress } from './store-addresses.ts'
import { readTls, type TlsSettings } from './tls-settings.ts'

export { ConfigError } from './config-error.ts'

type Values = z.output<typeof Settings>

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S

/** Settings that are taken as they are. */
const PLAIN = [
  'name',
  'listen-metrics-urls',
  'database-url',
  'data-dir',
  'schema',
  'max-txn-ops',
  'max-request-bytes',
  'stream-max-duration',
  'poll-interval',
  'watch-progress-notify-interval',
  'max-concurrent-streams',
  'cors',
  'host-whitelist',
  'log-level',
  'log-format',
  'log-outputs',
  'warning-apply-duration',
  'warning-unary-request-duration',
  'metrics',
] as const satisfies readonly Setting[]

/** They keep their names, in camel case. Durations are in milliseconds. */
type Plain = { readonly [S in (typeof PLAIN)[number] as CamelCase<S>]: Values[S] }

export interface Config extends Plain, AuthTokenSettings {
  readonly listenClientUrls: readonly string[]
  readonly advertiseClientUrls: readonly string[]
  /** The stores that are served instead of the one in `schema`; none: that one. */
  readonly stores: readonly StoreAddress[]
  /** How often a connection of gRPC is pinged, and how long an answer may take, in milliseconds. */
  readonly grpcKeepaliveInterval: number
  readonly grpcKeepaliveTimeout: number
  /** Undefined: no URL is https. */
  readonly tls: TlsSettings | undefined
  /** Undefined: nothing is compacted but what clients ask for. */
  readonly retention: Retention | undefined
  /** The size of the store at which NOSPACE is raised, in bytes; undefined: at none. */
  readonly quotaBackendBytes: bigint | undefined
  /** Flags of etcd's that were given and have no meaning here, as `--NAME`. */
  readonly ignoredFlags: readonly string[]
  /** What whoever started the server should know about what was given. */
  readonly warnings: readonly string[]
}

/** What only a process with files has. */
export interface Files {
  readonly config?: ConfigFile
  read: ReadFile
}

/**
 * Reads the configuration: flags first, then variables, then defaults; or, as in etcd, a configuration file alone. Fails
 * with a ConfigError that says where the first bad value came from.
 */
export function readConfig(flags: Flags, variables: Variables, files?: Files): Config {
  const sources = gatherSources(flags, variables, files?.config)
  const values = parse(sources.settings)
  const listenClientUrls = listensForMany(values)
    ? [...new Set([...values['listen-client-urls'], ...(values['listen-client-http-urls'] ?? [])])]
    : []
  const storeUrls = values.store.flatMap(({ urls }) => urls)
  const advertiseClientUrls = values['advertise-client-urls'] ?? listenClientUrls
  const given = (name: Setting): Given => sources.settings.get(name) ?? { source: `--${name}`, text: '' }
  const authToken = readAuthToken(
    { ...given('auth-token'), text: values['auth-token'] },
    sources.settings.get('auth-token-key'),
    values['auth-token-ttl'],
    files?.read,
  )
  return {
    ...plain(values),
    ...keepAlive(values),
    ...authToken,
    listenClientUrls,
    advertiseClientUrls,
    stores: values.store,
    tls: readTls(values, [...listenClientUrls, ...storeUrls, ...values['listen-metrics-urls']]),
    retention: readRetention(
      values['auto-compaction-mode'],
      values['auto-compaction-retention'],
      given('auto-compaction-retention').source,
    ),
    quotaBackendBytes: readQuota(values['quota-backend-bytes']),
    ignoredFlags: sources.ignored,
    warnings: [
      ...sources.warnings,
      ...warningsOf(values, [...listenClientUrls, ...storeUrls], advertiseClientUrls),
      ...warningsOfStores(sources.settings, values),
    ],
  }
}

function parse(given: Sources['settings']): Values {
  const texts = Object.fromEntries([...given].map(([name, { text }]) => [name, text]))
  const parsed = Settings.safeParse(texts)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const { source, text } = given.get(String(issue?.path[0]) as Setting) ?? { source: 'a setting', text: '' }
  throw new ConfigError(`${source} is "${text}", but must be ${expected(issue)}`)
}

function expected(issue: z.core.$ZodIssue | undefined): string {
  return issue?.code === 'invalid_value' ? `one of ${issue.values.join(', ')}` : (issue?.message ?? 'a value')
}

function plain(values: Values): Plain {
  const entries = PLAIN.map((name) => [
    name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    values[name],
  ])
  return Object.fromEntries(entries) as Plain
}

/** As in etcd, a zero in either leaves both to gRPC, whose own are the defaults. */
function keepAlive(values: Values): Pick<Config, 'grpcKeepaliveInterval' | 'grpcKeepaliveTimeout'> {
  const interval = values['grpc-keepalive-interval']
  const timeout = values['grpc-keepalive-timeout']
  return interval > 0 && timeout > 0
    ? { grpcKeepaliveInterval: interval, grpcKeepaliveTimeout: timeout }
    : {
        grpcKeepaliveInterval: LIMITS.grpcKeepaliveIntervalMs,
        grpcKeepaliveTimeout: LIMITS.grpcKeepaliveTimeoutMs,
      }
}

/** A bare number of the periodic mode counts hours, as etcd's does. */
function readRetention(mode: 'periodic' | 'revision', text: string, source: string): Retention | undefined {
  const bad = (meaning: string) => new ConfigError(`${source} is "${text}", but must be ${meaning}`)
  if (mode === 'revision') {
    if (!/^\d{1,18}$/.test(text)) throw bad('a number of revisions')
    const revisions = BigInt(text)
    return revisions === 0n ? undefined : { mode, revisions }
  }
  const ms = /^\d{1,6}$/.test(text) ? Number(text) * 3_600_000 : readDurationMs(text)
  if (ms === undefined) throw bad('hours, or a duration such as 30m')
  return ms === 0 ? undefined : { mode, seconds: Math.max(1, Math.round(ms / 1000)) }
}

function readQuota(bytes: bigint): bigint | undefined {
  if (bytes < 0n) return undefined
  return bytes === 0n ? LIMITS.quotaBackendBytes : bytes
}

function warningsOf(values: Values, listen: readonly string[], advertise: readonly string[]): string[] {
  const warnings: string[] = []
  const open = listen.filter((url) => url.startsWith('http:'))
  if (open.length > 0) {
    if (values['cert-file'] !== undefined)
      warnings.push(`${open.join(', ')} is http: no certificate is used there`)
    if (values['client-cert-auth'])
      warnings.push(`${open.join(', ')} is http: clients need no certificate there`)
  }
  const nowhere = advertise.filter((url) => /^https?:\/\/(?:0\.0\.0\.0|\[::\]):/.test(url))
  if (nowhere.length > 0) {
    warnings.push(`clients are told to connect to ${nowhere.join(', ')}: set --advertise-client-urls`)
  }
  return warnings
}

/** Stores that all have ports of their own leave nothing to serve on those of a server of one store. */
function listensForMany({ store }: Values): boolean {
  return store.length === 0 || store.some(({ hosts }) => hosts.length > 0)
}

function warningsOfStores(given: Sources['settings'], values: Values): string[] {
  if (values.store.length === 0) return []
  const meaningless: readonly Setting[] = listensForMany(values)
    ? ['schema']
    : ['schema', 'listen-client-urls', 'listen-client-http-urls']
  return meaningless
    .flatMap((name) => given.get(name)?.source ?? [])
    .map((source) => `${source} is ignored: --store says which stores are served, and where`)
}
