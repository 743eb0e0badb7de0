import { errorText } from '../thrown.ts'
import { closest } from './closest.ts'
import { ConfigError } from './config-error.ts'
import { ETCD_FLAGS, OLD_NAMES } from './etcd-flags.ts'
import { type GoFlags, readGoFlags } from './go-flags.ts'
import { refuseTakenByNpm } from './npm-flags.ts'
import { isSwitch, SETTING_GROUPS, SETTING_NAMES, type Setting } from './setting-table.ts'
import { List, readBoolean, SchemaName } from './settings.ts'
import { FLAG_NAMES, type Flags, type Variables, variableOf } from './sources.ts'

const COMMANDS = {
  serve: 'serve the API (the default)',
  migrate: 'bring the database to the schema of this version, and stop',
  compact: 'run what the timer of a server runs: end due leases, compact as configured, free space',
  recover: 'after a restore: move the revision forward, so that no old position is ever taken for a new one',
  'stores list': 'which stores the database holds, and how large they are',
  'stores drop': 'drop the store NAME with all that it holds: stores drop NAME --yes NAME',
  version: 'say which version this is',
} as const

export type Command = keyof typeof COMMANDS

export interface CommandLine {
  readonly command: Command
  /** The flags that were given, by name: settings, and others of etcd's. */
  readonly flags: Flags
  /** `--bump-revision`, of `recover`. */
  readonly bumpRevision: string | undefined
  /** Of `migrate` and `compact`: the schemas of `--schema A,B`, or `--all` that the database holds; undefined: as configured. */
  readonly schemas: readonly string[] | 'all' | undefined
  /** The word and the `--yes` of `stores drop`. */
  readonly dropped: { readonly schema: string; readonly yes: string | undefined } | undefined
  readonly json: boolean
  readonly help: boolean
}

/** What is of the command line alone, and not a setting; `h` and `v` are short. */
const SWITCHES: readonly string[] = ['json', 'help', 'version', 'h', 'v']
/** Flags that only some commands have. */
const COMMANDS_OF: Readonly<Record<string, { kind: 'switch' | 'value'; commands: readonly Command[] }>> = {
  'bump-revision': { kind: 'value', commands: ['recover'] },
  all: { kind: 'switch', commands: ['migrate', 'compact'] },
  yes: { kind: 'value', commands: ['stores drop'] },
}
const HELP = 'help'
const STORES = 'stores'

/**
 * Reads the words after the program's name; `variables` are the environment, which shows what npm kept of them. Fails
 * with a ConfigError that names what isn't understood.
 */
export function readCommandLine(args: readonly string[], variables: Variables = {}): CommandLine {
  const { flags, words } = parse(args)
  refuseTakenByNpm([...FLAG_NAMES, 'bump-revision'], Object.fromEntries(flags), variables)
  const isOn = (...names: string[]) => names.some((name) => readBoolean(flags.get(name) ?? 'false') === true)
  const line = { json: isOn('json'), help: isOn('help', 'h') || words[0] === HELP }
  const nothing = { bumpRevision: undefined, schemas: undefined, dropped: undefined }
  // Whoever asks for help may not know yet what goes with what.
  if (line.help) return { ...line, ...nothing, command: 'serve', flags: {} }
  const [command, ...rest] = isOn('version', 'v') ? ['version' as const] : readCommand(words)
  for (const [name, { commands }] of Object.entries(COMMANDS_OF)) {
    if (!flags.has(name) || commands.includes(command)) continue
    throw new ConfigError(`--${name} belongs to ${commands.map((each) => `edgetcd ${each}`).join(' and ')}`)
  }
  const schema = command === 'stores drop' ? rest.shift() : undefined
  if (command === 'stores drop' && schema === undefined) {
    throw new ConfigError('stores drop needs the name of a store; edgetcd stores list tells them')
  }
  refuseSurplus(command, rest, variables)
  const schemas = COMMANDS_OF.all?.commands.includes(command)
    ? readSchemas(flags.get('schema'), isOn('all'))
    : undefined
  const isSetting = (name: string) => !isOfTheLine(name) && (name !== 'schema' || schemas === undefined)
  return {
    ...line,
    command,
    flags: Object.fromEntries([...flags].filter(([name]) => isSetting(name))),
    bumpRevision: flags.get('bump-revision'),
    schemas,
    dropped: schema === undefined ? undefined : { schema, yes: flags.get('yes') },
  }
}

/** The command that the first word names, or the first two, and the words after it. */
function readCommand(words: readonly string[]): [Command, ...string[]] {
  const [first = 'serve', ...rest] = words
  if (first === STORES) {
    const [second = '', ...others] = rest
    const command = `${STORES} ${second}`
    if (isCommand(command)) return [command, ...others]
    throw new ConfigError(
      `${STORES} can ${storesCan().join(' or ')}, but got ${second || 'nothing'}; edgetcd --help tells of both`,
    )
  }
  if (isCommand(first)) return [first, ...rest]
  throw new ConfigError(`unknown command ${first}${meant(first, [...Object.keys(COMMANDS), STORES])}`)
}

function storesCan(): string[] {
  return Object.keys(COMMANDS).flatMap((command) => command.split(`${STORES} `)[1] ?? [])
}

function refuseSurplus(command: Command, [surplus]: readonly string[], variables: Variables): void {
  if (surplus === undefined) return
  const npm = variables.npm_lifecycle_event === 'start' ? ' (with npm start, flags come after --)' : ''
  throw new ConfigError(`${command} takes no further words, but got ${surplus}${npm}`)
}

/** One schema alone is the setting that it is everywhere. */
function readSchemas(text: string | undefined, all: boolean): CommandLine['schemas'] {
  if (all && text !== undefined) throw new ConfigError('--all and --schema are both set: use one of them')
  if (all) return 'all'
  if (text === undefined || !text.includes(',')) return undefined
  const schemas = List.parse(text)
  const bad = schemas.find((schema) => !SchemaName.safeParse(schema).success)
  if (bad !== undefined || schemas.length === 0) {
    throw new ConfigError(`--schema is "${text}", but must be names of at most 63 bytes, separated by commas`)
  }
  return schemas
}

function isOfTheLine(name: string): boolean {
  return Object.hasOwn(COMMANDS_OF, name) || SWITCHES.includes(name)
}

function parse(args: readonly string[]): GoFlags {
  try {
    return readGoFlags(args, kindOf, (name) =>
      meant(
        `--${name}`,
        FLAG_NAMES.map((known) => `--${known}`),
      ),
    )
  } catch (error) {
    throw new ConfigError(errorText(error))
  }
}

/** What to do about a word that isn't known. */
function meant(word: string, known: readonly string[]): string {
  const name = closest(word, known)
  return name === undefined ? '; edgetcd --help lists them' : `; did you mean ${name}?`
}

function kindOf(flag: string): 'switch' | 'value' | 'list' | undefined {
  const name = OLD_NAMES[flag] ?? flag
  if (SWITCHES.includes(name)) return 'switch'
  if (Object.hasOwn(COMMANDS_OF, name)) return COMMANDS_OF[name]?.kind
  if (name === 'config-file') return 'value'
  // What it lists is long: each address may have a flag of its own.
  if (name === 'store') return 'list'
  if (isSetting(name)) return isSwitch(name) ? 'switch' : 'value'
  if (!Object.hasOwn(ETCD_FLAGS, name)) return undefined
  return ETCD_FLAGS[name]?.isSwitch ? 'switch' : 'value'
}

function isSetting(name: string): name is Setting {
  return (SETTING_NAMES as readonly string[]).includes(name)
}

function isCommand(word: string): word is Command {
  return Object.hasOwn(COMMANDS, word)
}

/** The text of `edgetcd --help`. */
export function helpText(): string {
  const groups = Object.entries(SETTING_GROUPS).map(([title, settings]): [string, [string, string][]] => [
    title,
    Object.entries(settings).map(([name, [value, help]]) => [`--${name} ${value}`.trimEnd(), help]),
  ])
  const others: [string, string][] = [
    ['--config-file FILE', 'settings in YAML, as etcd has them'],
    ['--bump-revision N', 'recover: by how much to move the revision forward'],
    ['--all', 'migrate, compact: all stores of the database; --schema A,B: these'],
    ['--yes NAME', 'stores drop: the name again, so that nothing is dropped by a slip'],
    ['--json', 'say what happens in JSON lines'],
    ['--help', 'show this'],
    ['--version', 'same as the command'],
  ]
  const width = Math.max(...groups.flatMap(([, rows]) => rows.map(([left]) => left.length)))
  return [
    'edgetcd: the etcd v3 API over gRPC and HTTP, with PostgreSQL as the only state',
    '',
    'Usage: edgetcd [COMMAND] [FLAGS]',
    '',
    'Commands:',
    columns(Object.entries(COMMANDS), 0),
    '',
    `Each flag has a variable: --data-dir is ${variableOf('data-dir')}. etcd's other flags are known, too: docs/flags.md.`,
    ...groups.flatMap(([title, rows]) => ['', `${title}:`, columns(rows, width)]),
    '',
    'Other:',
    columns(others, width),
    '',
    'Exit codes: 0 done, 1 failed, 2 not understood',
  ].join('\n')
}

function columns(rows: readonly [string, string][], widthMin: number): string {
  const width = Math.max(widthMin, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
