import { readFileSync } from 'node:fs'
import { compactStores, dropNamed, listStores, migrateStores, recoverStore } from './commands/stores.ts'
import { type Config, ConfigError, type Files, readConfig } from './config/config.ts'
import { readConfigFile } from './config/config-file.ts'
import { type CommandLine, helpText, readCommandLine } from './config/flags.ts'
import { configFilePath } from './config/sources.ts'
import type { Environment } from './environment.ts'
import { fileErrorReason } from './file-error.ts'
import { createLog } from './observe/log.ts'
import { openLogOutputs } from './observe/log-outputs.ts'
import type { Say } from './server/say-ready.ts'
import { serve } from './server/serve.ts'
import { systemEnvironment } from './system-environment.ts'
import { errorText } from './thrown.ts'
import { EDGETCD_VERSION, ETCD_VERSION } from './version.ts'

const EXIT_FAILED = 1
const EXIT_NOT_UNDERSTOOD = 2

async function main(): Promise<void> {
  const line = readCommandLine(process.argv.slice(2), process.env)
  const say: Say = (text, facts) => console.log(line.json ? JSON.stringify(facts) : text)
  if (line.help) {
    console.log(helpText())
  } else if (line.command === 'version') {
    say(`edgetcd ${EDGETCD_VERSION} (etcd ${ETCD_VERSION})`, { edgetcd: EDGETCD_VERSION, etcd: ETCD_VERSION })
  } else {
    const config = readConfig(line.flags, process.env, files(line.flags))
    const log = createLog(config.logLevel, openLogOutputs(config.logOutputs), config.logFormat)
    await run(line, config, systemEnvironment(log), say)
  }
}

/** The configuration file, if one was given, and the others that it or a flag may name. */
function files(flags: CommandLine['flags']): Files {
  const path = configFilePath(flags, process.env)
  if (path === undefined) return { read: readFileSync }
  try {
    return { config: readConfigFile(path, readFileSync(path, 'utf8')), read: readFileSync }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`--config-file ${path}: ${fileErrorReason(error)}`)
  }
}

async function run(line: CommandLine, config: Config, environment: Environment, say: Say): Promise<void> {
  const command = { line, config, environment, say }
  switch (line.command) {
    case 'serve':
      return await serve(config, environment, say, signalled())
    case 'migrate':
      return await migrateStores(command)
    case 'compact':
      return await compactStores(command)
    case 'recover':
      return await recoverStore(command, readBump(line.bumpRevision))
    case 'stores list':
      return await listStores(command)
    case 'stores drop':
      return await dropNamed(command)
    case 'version':
      return
    default:
      line.command satisfies never
  }
}

function readBump(text: string | undefined): bigint {
  if (text === undefined) throw new ConfigError('recover needs --bump-revision N')
  if (!/^[1-9]\d{0,17}$/.test(text)) {
    throw new ConfigError(`--bump-revision is "${text}", but must be a whole number above zero`)
  }
  return BigInt(text)
}

/** A signal that comes within this time of the first is the same one: npm passes on what the terminal sent, too. */
const SAME_SIGNAL_MS = 1000

/** Resolves at the first SIGTERM or SIGINT. A later one ends the process at once. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let firstMs: number | undefined
    const stop = () => {
      const nowMs = performance.now()
      firstMs ??= nowMs
      if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(EXIT_FAILED)
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

main().catch((error: unknown) => {
  const message = errorText(error)
  // The command line itself may be what isn't understood.
  const json = process.argv.some((word) => /^--?json(?:=true)?$/.test(word))
  console.error(json ? JSON.stringify({ event: 'failed', message }) : `edgetcd: ${message}`)
  process.exitCode = error instanceof ConfigError ? EXIT_NOT_UNDERSTOOD : EXIT_FAILED
})
