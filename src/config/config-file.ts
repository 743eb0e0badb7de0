import { parse } from 'yaml'
import { errorText } from '../thrown.ts'
import { ConfigError } from './config-error.ts'

/** A configuration file, as texts by the names of the flags that would say the same. */
export interface ConfigFile {
  readonly path: string
  readonly texts: Readonly<Record<string, string>>
}

const CLIENT_TLS = 'client-transport-security'

/** What a block of settings calls each flag of TLS; those about peers are the same with `peer-` before. */
const CLIENT_TLS_FLAGS: Readonly<Record<string, string>> = {
  'cert-file': 'cert-file',
  'key-file': 'key-file',
  'client-cert-file': 'client-cert-file',
  'client-key-file': 'client-key-file',
  'client-cert-auth': 'client-cert-auth',
  'trusted-ca-file': 'trusted-ca-file',
  'auto-tls': 'auto-tls',
  'allowed-hostname': 'client-cert-allowed-hostname',
  // Only peers' certificates are compared with the address that they come from.
  'skip-client-san-verification': 'peer-skip-client-san-verification',
}

/** etcd's blocks of settings, and what each name in them is as a flag. */
const BLOCKS: Readonly<Record<string, (name: string) => string | undefined>> = {
  [CLIENT_TLS]: (name) => CLIENT_TLS_FLAGS[name],
  'peer-transport-security': (name) => `peer-${name}`,
  'socket-options': (name) => `socket-${name}`,
  'discovery-config': (name) => `discovery-${name}`,
}

/** etcd writes these in nanoseconds, as a plain number. */
const DURATIONS = /-(?:duration|interval)$/

/**
 * Reads a configuration file as etcd has it: YAML, its keys the names of flags, those of TLS in blocks of their own.
 * Fails with a ConfigError when it can't be understood.
 */
export function readConfigFile(path: string, text: string): ConfigFile {
  const content = parseYaml(path, text)
  const texts: Record<string, string> = {}
  for (const [key, value] of Object.entries(content)) {
    const flagOf = BLOCKS[key]
    if (flagOf === undefined) {
      texts[key] = toText(path, key, value)
      continue
    }
    if (!isObject(value)) throw new ConfigError(`${path}: ${key} must be a block of settings`)
    for (const [name, inner] of Object.entries(value)) {
      const flag = flagOf(name)
      // Somebody relies on it to keep clients out.
      if (flag === undefined) throw new ConfigError(`${path}: ${key} can't have ${name}`)
      texts[flag] = toText(path, name, inner)
    }
  }
  return { path, texts }
}

function parseYaml(path: string, text: string): Record<string, unknown> {
  let content: unknown
  try {
    // The version whose booleans (yes, on) etcd's parser knows.
    content = parse(text, { version: '1.1' })
  } catch (error) {
    throw new ConfigError(`${path}: ${errorText(error)}`)
  }
  if (content === null || content === undefined) return {}
  if (!isObject(content)) throw new ConfigError(`${path}: must hold settings, NAME: VALUE on each line`)
  return content
}

function toText(path: string, name: string, value: unknown): string {
  if (value === null) return ''
  if (typeof value === 'number' && value !== 0 && DURATIONS.test(name)) return `${value}ns`
  if (Array.isArray(value)) return value.map((entry) => toText(path, name, entry)).join(',')
  if (isObject(value)) return JSON.stringify(value)
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  throw new ConfigError(`${path}: ${name} has a value of an unknown kind`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
