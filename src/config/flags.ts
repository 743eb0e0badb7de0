import { errorText } from '../thrown.ts'
import { closest } from './closest.ts'
import { ConfigError } from './config-error.ts'
import { ETCD_FLAGS, OLD_NAMES } from './etcd-flags.ts'
import { type GoFlags, readGoFlags } from './go-flags.ts'
import { refuseTakenByNpm } from './npm-flags.ts'
import { isSwitch, SETTING_GROUPS, SETTING_NAMES, type Setting } from './setting-table.ts'
import { readBoolean } from './settings.ts'
import { FLAG_NAMES, type Flags, type Variables, variableOf } from './sources.ts'

export const COMMANDS = {
  serve: 'serve the API (the default)',
  migrate: 'bring the database to the schema of this version, and stop',
  compact: 'run what the timer of a server runs: end due leases, compact as configured, free space',
  recover: 'after a restore: move the revision forward, so that no old position is ever taken for a new one',
  version: 'say which version this is',
} as const

export type Command = keyof typeof COMMANDS

export interface CommandLine {
  readonly command: Command
  /** The flags that were given, by name: settings, and others of etcd's. */
  readonly flags: Flags
  /** `--bump-revision`, of `recover`. */
  readonly bumpRevision: string | undefined
  readonly json: boolean
  readonly help: boolean
}

/** What is of the command line alone, and not a setting; `h` and `v` are short. */
const SWITCHES: readonly string[] = ['json', 'help', 'version', 'h', 'v']
const BUMP_REVISION = 'bump-revision'
const HELP = 'help'

/**
 * Reads the words after the program's name; `variables` are the environment, which shows what npm kept of them. Fails
 * with a ConfigError that names what isn't understood.
 */
export function readCommandLine(args: readonly string[], variables: Variables = {}): CommandLine {
  const { flags, words } = parse(args)
  refuseTakenByNpm([...FLAG_NAMES, BUMP_REVISION], Object.fromEntries(flags), variables)
  const isOn = (...names: string[]) => names.some((name) => readBoolean(flags.get(name) ?? 'false') === true)
  const [command = isOn('version', 'v') ? 'version' : 'serve', surplus] = words
  if (command === HELP)
    return { command: 'serve', flags: {}, bumpRevision: undefined, json: false, help: true }
  if (!isCommand(command)) {
    throw new ConfigError(`unknown command ${command}${meant(command, Object.keys(COMMANDS))}`)
  }
  if (surplus !== undefined) {
    const npm = variables.npm_lifecycle_event === 'start' ? ' (with npm start, flags come after --)' : ''
    throw new ConfigError(`${command} takes no further words, but got ${surplus}${npm}`)
  }
  const bumpRevision = flags.get(BUMP_REVISION)
  if (bumpRevision !== undefined && command !== 'recover') {
    throw new ConfigError('--bump-revision belongs to edgetcd recover')
  }
  return {
    command,
    flags: Object.fromEntries([...flags].filter(([name]) => !isOfTheLine(name))),
    bumpRevision,
    json: isOn('json'),
    help: isOn('help', 'h'),
  }
}

function isOfTheLine(name: string): boolean {
  return name === BUMP_REVISION || SWITCHES.includes(name)
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

function kindOf(flag: string): 'switch' | 'value' | undefined {
  const name = OLD_NAMES[flag] ?? flag
  if (SWITCHES.includes(name)) return 'switch'
  if (name === BUMP_REVISION || name === 'config-file') return 'value'
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
    ['--json', 'say what happens in JSON lines'],
    ['--help', 'show this'],
    ['--version', 'same as the command'],
  ]
  const width = Math.max(...groups.flatMap(([, rows]) => rows.map(([left]) => left.length)))
  return [
    'edgetcd: the etcd v3 API over HTTP, with PostgreSQL as the only state',
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
