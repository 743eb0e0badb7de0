/**
 * What can be configured: one table for the flags of the command line, for the environment and for a Worker's
 * variables. A flag is named as etcd names it where etcd has it; its variable is ETCD_ and the flag in capitals.
 */
import * as z from 'zod/mini'
import { LIMITS } from './etcd/limits.ts'
import { LOG_LEVELS } from './observe/log.ts'
import type { Retention } from './service/compactor/index.ts'
import { Count, DatabaseUrl, Duration, Interval, readDurationMs, SchemaName, Urls } from './settings.ts'

const Settings = z.object({
  'listen-client-urls': z._default(Urls, ['http://127.0.0.1:2379']),
  'advertise-client-urls': z.optional(Urls),
  name: z._default(z.string(), 'default'),
  'database-url': z.optional(DatabaseUrl),
  'data-dir': z._default(z.string(), 'edgetcd.data'),
  schema: z._default(SchemaName, 'etcd'),
  'auto-compaction-mode': z._default(z.enum(['periodic', 'revision']), 'periodic'),
  'auto-compaction-retention': z._default(z.string(), '0'),
  'max-txn-ops': z._default(Count, LIMITS.txnOpsMax),
  'max-request-bytes': z._default(Count, LIMITS.requestBytesMax),
  'stream-max-duration': z._default(Duration, 0),
  'poll-interval': z._default(Interval, 500),
  'log-level': z._default(z.enum(LOG_LEVELS), 'info'),
})

type Setting = keyof z.output<typeof Settings>
type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S

/** The settings by their names in camel case; those without a default may be missing. */
type Settled = { readonly [S in Setting as CamelCase<S>]: z.output<typeof Settings>[S] }

export interface Config
  extends Omit<Settled, 'advertiseClientUrls' | 'autoCompactionMode' | 'autoCompactionRetention'> {
  readonly advertiseClientUrls: readonly string[]
  /** Undefined: nothing is compacted but what clients ask for. */
  readonly retention: Retention | undefined
}

/** What each flag takes, and what it is for. */
export const SETTINGS_HELP: Readonly<Record<Setting, readonly [value: string, help: string]>> = {
  'listen-client-urls': ['URLS', 'where to listen (http://127.0.0.1:2379)'],
  'advertise-client-urls': ['URLS', 'where clients find the server, told in the member list (as listened)'],
  name: ['NAME', "the member's name (default)"],
  'database-url': ['URL', 'the PostgreSQL to serve from; also DATABASE_URL (an embedded one)'],
  'data-dir': ['DIR', 'where the embedded PostgreSQL keeps its data (edgetcd.data)'],
  schema: ['NAME', 'the schema in the database that holds the store (etcd)'],
  'auto-compaction-mode': ['MODE', 'what to keep: periodic or revision (periodic)'],
  'auto-compaction-retention': ['N', 'how much of it: hours or a duration, or revisions; 0: all (0)'],
  'max-txn-ops': ['N', `operations in one transaction (${LIMITS.txnOpsMax})`],
  'max-request-bytes': ['N', `size of one request that writes (${LIMITS.requestBytesMax})`],
  'stream-max-duration': ['TIME', 'a watch stream ends cleanly after this; 0: never (0)'],
  'poll-interval': ['TIME', "how often a watch looks for other servers' writes, at most (500ms)"],
  'log-level': ['LEVEL', `${LOG_LEVELS.join(', ')} (info)`],
}

export const SETTING_NAMES = Object.keys(SETTINGS_HELP) as readonly Setting[]

/** A setting that can't be understood; the message is for whoever set it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** The environment variable, or a Worker's binding, of a setting. */
export function variableOf(setting: string): string {
  return `ETCD_${setting.toUpperCase().replaceAll('-', '_')}`
}

/**
 * Reads the configuration: flags first, then variables, then defaults. Fails with a ConfigError that says where the
 * first bad value came from.
 */
export function readConfig(
  flags: Readonly<Record<string, string | undefined>>,
  variables: Readonly<Record<string, unknown>>,
): Config {
  const texts: Record<string, unknown> = {}
  const sources: Record<string, string> = {}
  for (const setting of SETTING_NAMES) {
    const sourced = sourcesOf(setting, flags, variables).find(([, value]) => value !== undefined)
    // An unset variable of somebody's script must not start a server on an empty database of its own.
    if (sourced?.[1] === '') throw new ConfigError(`${sourced[0]} is empty: give it a value, or leave it out`)
    if (sourced !== undefined) [sources[setting], texts[setting]] = sourced
  }
  const parsed = Settings.safeParse(texts)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const setting = String(issue?.path[0])
    throw new ConfigError(`${sources[setting]} is "${texts[setting]}", but must be ${expected(issue)}`)
  }
  const settings = parsed.data
  return {
    listenClientUrls: settings['listen-client-urls'],
    advertiseClientUrls: settings['advertise-client-urls'] ?? settings['listen-client-urls'],
    name: settings.name,
    databaseUrl: settings['database-url'],
    dataDir: settings['data-dir'],
    schema: settings.schema,
    retention: readRetention(settings['auto-compaction-mode'], settings['auto-compaction-retention']),
    maxTxnOps: settings['max-txn-ops'],
    maxRequestBytes: settings['max-request-bytes'],
    streamMaxDuration: settings['stream-max-duration'],
    pollInterval: settings['poll-interval'],
    logLevel: settings['log-level'],
  }
}

function sourcesOf(
  setting: Setting,
  flags: Readonly<Record<string, string | undefined>>,
  variables: Readonly<Record<string, unknown>>,
): [string, unknown][] {
  const variable = variableOf(setting)
  const sources: [string, unknown][] = [
    [`--${setting}`, flags[setting]],
    [variable, variables[variable]],
  ]
  if (setting === 'database-url') sources.push(['DATABASE_URL', variables.DATABASE_URL])
  return sources
}

function expected(issue: z.core.$ZodIssue | undefined): string {
  return issue?.code === 'invalid_value' ? `one of ${issue.values.join(', ')}` : (issue?.message ?? 'a value')
}

/** A bare number of the periodic mode counts hours, as etcd's does. */
function readRetention(mode: 'periodic' | 'revision', text: string): Retention | undefined {
  if (mode === 'revision') {
    if (!/^\d{1,18}$/.test(text)) throw badRetention(text, 'a number of revisions')
    const revisions = BigInt(text)
    return revisions === 0n ? undefined : { mode, revisions }
  }
  const ms = /^\d{1,6}$/.test(text) ? Number(text) * 3_600_000 : readDurationMs(text)
  if (ms === undefined) throw badRetention(text, 'hours, or a duration such as 30m')
  return ms === 0 ? undefined : { mode, seconds: Math.max(1, Math.round(ms / 1000)) }
}

function badRetention(text: string, meaning: string): ConfigError {
  return new ConfigError(`--auto-compaction-retention is "${text}", but must be ${meaning}`)
}
