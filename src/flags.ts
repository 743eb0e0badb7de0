import { parseArgs } from 'node:util'
import { ConfigError, SETTING_NAMES, SETTINGS_HELP, variableOf } from './config.ts'

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
  readonly settings: Readonly<Record<string, string | undefined>>
  /** `--bump-revision`, of `recover`. */
  readonly bumpRevision: string | undefined
  readonly json: boolean
  readonly help: boolean
}

/** Reads the words after the program's name. Fails with a ConfigError that names what isn't understood. */
export function readCommandLine(words: readonly string[]): CommandLine {
  const { values, positionals } = parse(words)
  const [command = values.version === true ? 'version' : 'serve', surplus] = positionals
  if (!isCommand(command)) throw new ConfigError(`unknown command ${command}; edgetcd --help lists them`)
  if (surplus !== undefined) throw new ConfigError(`${command} takes no further words, but got ${surplus}`)
  const bumpRevision = values['bump-revision']
  if (bumpRevision !== undefined && command !== 'recover') {
    throw new ConfigError('--bump-revision belongs to edgetcd recover')
  }
  const given: Readonly<Record<string, unknown>> = values
  const settings = SETTING_NAMES.flatMap((name) => {
    const value = given[name]
    return typeof value === 'string' ? [[name, value]] : []
  })
  return {
    command,
    settings: Object.fromEntries(settings),
    bumpRevision,
    json: values.json === true,
    help: values.help === true,
  }
}

function parse(words: readonly string[]) {
  const settings = Object.fromEntries(SETTING_NAMES.map((name) => [name, { type: 'string' as const }]))
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        ...settings,
        'bump-revision': { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
  } catch (error) {
    const [, flag] = /^Unknown option '([^']+)'/.exec(String(error instanceof Error && error.message)) ?? []
    if (flag !== undefined) throw new ConfigError(`unknown flag ${flag}; edgetcd --help lists them`)
    throw new ConfigError(error instanceof Error ? error.message : String(error))
  }
}

function isCommand(word: string): word is Command {
  return Object.hasOwn(COMMANDS, word)
}

/** The text of `edgetcd --help`. */
export function helpText(): string {
  const settings = SETTING_NAMES.map((name): [string, string] => {
    const [value, help] = SETTINGS_HELP[name]
    return [`--${name} ${value}`, help]
  })
  const others: [string, string][] = [
    ['--bump-revision N', 'recover: by how much to move the revision forward'],
    ['--json', 'say what happens in JSON lines'],
    ['--help', 'show this'],
    ['--version', 'same as the command'],
  ]
  return [
    'edgetcd: the etcd v3 API over HTTP, with PostgreSQL as the only state',
    '',
    'Usage: edgetcd [COMMAND] [FLAGS]',
    '',
    'Commands:',
    columns(Object.entries(COMMANDS)),
    '',
    `Flags (or variables: --data-dir is ${variableOf('data-dir')}):`,
    columns([...settings, ...others]),
    '',
    'Exit codes: 0 done, 1 failed, 2 not understood',
  ].join('\n')
}

function columns(rows: readonly [string, string][]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
