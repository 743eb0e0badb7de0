import { type Config, readConfig } from '../config/config.ts'
import type { Setting } from '../config/setting-table.ts'
import { variableOf } from '../config/sources.ts'
import type { Bindings } from './bindings.ts'

/** They have nothing to act on: a Worker doesn't listen, speaks no gRPC, has no files, and finds its database by bindings of its own. */
const MEANINGLESS = [
  'config-file',
  'listen-client-urls',
  'listen-client-http-urls',
  'listen-metrics-urls',
  'host-whitelist',
  'max-concurrent-streams',
  'grpc-keepalive-interval',
  'grpc-keepalive-timeout',
  'store',
  'database-url',
  'data-dir',
  'cert-file',
  'key-file',
  'trusted-ca-file',
  'client-cert-auth',
  'client-crl-file',
  'client-cert-allowed-hostname',
  'auto-tls',
  'self-signed-cert-validity',
  'tls-min-version',
  'tls-max-version',
  'cipher-suites',
  'log-format',
  'log-outputs',
  'metrics',
] as const satisfies readonly (Setting | 'config-file')[]

const MEANINGLESS_VARIABLES: ReadonlySet<string> = new Set(MEANINGLESS.map(variableOf))

/**
 * Reads a Worker's configuration from its bindings; its warnings name every variable that means nothing to a Worker.
 * @throws ConfigError
 */
export function readWorkerConfig(bindings: Bindings): Config {
  // The database is opened as connection.ts says, which takes other URLs than a process does.
  const { DATABASE_URL, ...variables } = bindings
  const given = Object.entries(variables)
  const isMeaningless = ([name]: [string, unknown]) => MEANINGLESS_VARIABLES.has(name)
  const config = readConfig({}, Object.fromEntries(given.filter((entry) => !isMeaningless(entry))))
  const ignored = [
    ...given.filter((entry) => isMeaningless(entry) && entry[1] !== '').map(([name]) => name),
    ...config.ignoredFlags.map((flag) => variableOf(flag.slice('--'.length))),
  ]
  return {
    ...config,
    warnings: [
      ...config.warnings,
      ...ignored.map((name) => `${name} is ignored: it means nothing to a Worker`),
    ],
  }
}
