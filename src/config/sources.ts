import { closest } from './closest.ts'
import { ConfigError } from './config-error.ts'
import type { ConfigFile } from './config-file.ts'
import { ETCD_FLAGS, type EtcdFlag, OLD_NAMES } from './etcd-flags.ts'
import { SETTING_NAMES, type Setting } from './setting-table.ts'

export type Flags = Readonly<Record<string, string | undefined>>
export type Variables = Readonly<Record<string, unknown>>

/** A value that was given for a setting, and where: for whoever set it. */
export interface Given {
  readonly source: string
  readonly text: string
}

/** What was given, and what its giver should know about it. */
export interface Sources {
  readonly settings: ReadonlyMap<Setting, Given>
  /** Flags of etcd's that mean nothing here, by name. */
  readonly ignored: readonly string[]
  readonly warnings: readonly string[]
}

/** Settings that etcd doesn't have. etcd's configuration file knows nothing of them, so it never hides them. */
const OURS: ReadonlySet<string> = new Set<Setting>([
  'database-url',
  'schema',
  'store',
  'stream-max-duration',
  'poll-interval',
  'auth-token-key',
])

/** Whether a setting is edgetcd's alone. */
export function isOurs(name: string): boolean {
  return OURS.has(name)
}

/** They say where the data is. An unset variable in somebody's script must not start a server on an empty store. */
const NEVER_EMPTY: ReadonlySet<string> = new Set<Setting>(['database-url', 'schema', 'store', 'data-dir'])

const CONFIG_FILE = 'config-file'

/** All flags that say how a server runs: edgetcd's, and etcd's. */
export const FLAG_NAMES: readonly string[] = [
  CONFIG_FILE,
  ...SETTING_NAMES,
  ...Object.keys(ETCD_FLAGS),
  ...Object.keys(OLD_NAMES),
]

/** The environment variable, or a Worker's binding, of a flag. */
export function variableOf(name: string): string {
  return `ETCD_${name.toUpperCase().replaceAll('-', '_')}`
}

/** Where the configuration file is, if one was given. */
export function configFilePath(flags: Flags, variables: Variables): string | undefined {
  const path = flags[CONFIG_FILE] || variables[variableOf(CONFIG_FILE)]
  return typeof path === 'string' && path !== '' ? path : undefined
}

/**
 * Puts together what was given: flags first, then variables; with a configuration file nothing else but what etcd
 * doesn't have. Empty values count as not given, as in etcd, but for those that say where the data is. Fails with a
 * ConfigError for what can't be followed.
 */
export function gatherSources(flags: Flags, variables: Variables, file: ConfigFile | undefined): Sources {
  const warnings: string[] = []
  const given = new Map<string, Given>()
  const old = new Map<string, string>()
  for (const name of [...SETTING_NAMES, ...Object.keys(ETCD_FLAGS), ...Object.keys(OLD_NAMES)]) {
    const found = find(name, flags, variables, file, warnings)
    if (found === undefined) continue
    const newName = OLD_NAMES[name]
    if (newName !== undefined) old.set(name, newName)
    if (newName !== undefined && given.has(newName)) {
      throw new ConfigError(`--${name} and --${newName} are both set: use --${newName} only`)
    }
    given.set(newName ?? name, found)
  }
  if (file !== undefined) warnings.push(...notSettings(file))
  warnings.push(...unknownVariables(variables))
  return { settings: given as ReadonlyMap<Setting, Given>, ignored: ignoredOf(given), warnings }
}

function find(
  name: string,
  flags: Flags,
  variables: Variables,
  file: ConfigFile | undefined,
  warnings: string[],
): Given | undefined {
  const all = [
    { source: `--${name}`, value: flags[name] },
    { source: variableOf(name), value: variables[variableOf(name)] },
    ...(name === 'database-url' ? [{ source: 'DATABASE_URL', value: variables.DATABASE_URL }] : []),
  ]
  const inFile = { source: `${name} in ${file?.path}`, value: file?.texts[name] }
  const sources = file === undefined ? all : isOurs(name) ? [...all, inFile] : [inFile]
  const [first, ...others] = sources.filter(
    ({ value }) => value !== undefined && (value !== '' || NEVER_EMPTY.has(name)),
  )
  if (first?.value === '') throw new ConfigError(`${first.source} is empty: give it a value, or leave it out`)
  if (file !== undefined && !isOurs(name)) {
    for (const { source, value } of all) {
      if (value !== undefined && value !== '') warnings.push(`${source} is ignored: ${file.path} says all`)
    }
  }
  for (const { source } of others) warnings.push(`${source} is ignored: ${first?.source} goes before it`)
  return first && { source: first.source, text: String(first.value) }
}

function ignoredOf(given: ReadonlyMap<string, Given>): string[] {
  const ignored: string[] = []
  for (const [name, { source, text }] of given) {
    const flag: EtcdFlag | undefined = ETCD_FLAGS[name]
    if (flag === undefined) continue
    if (flag.refuses?.test(text, given.has('database-url'))) {
      throw new ConfigError(`${source} is "${text}", which can't be followed: ${flag.why}`)
    }
    ignored.push(`--${name}`)
  }
  return ignored
}

/** etcd's files had these once, and its sample still has some: etcd 3.6 passes over them. */
const OLD_IN_FILE = /^(?:proxy|proxy-.*|enable-v2|debug|log-package-levels|experimental-.*)$/

/** etcd passes over whatever it doesn't know. A slip in `data-dir` must not start a server on an empty store. */
function notSettings({ path, texts }: ConfigFile): string[] {
  const unknown = Object.keys(texts).filter((name) => !FLAG_NAMES.includes(name))
  const [first] = unknown.filter((name) => !OLD_IN_FILE.test(name))
  if (first !== undefined) {
    const meant = closest(first, FLAG_NAMES)
    const advice = meant === undefined ? '' : `; did you mean ${meant}?`
    throw new ConfigError(`${path}: ${first} is not known${advice}`)
  }
  return unknown.map((name) => `${name} in ${path} is not known`)
}

const VARIABLES: ReadonlySet<string> = new Set(FLAG_NAMES.map(variableOf))

/** Their values stay untold: one may be a secret that was meant for something else. */
function unknownVariables(variables: Variables): string[] {
  return Object.keys(variables)
    .filter((name) => name.startsWith('ETCD_') && !VARIABLES.has(name))
    .map((name) => `unrecognized environment variable ${name}`)
}
