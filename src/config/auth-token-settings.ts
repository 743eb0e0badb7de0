import { fileErrorReason } from '../file-error.ts'
import { KEY_ALGORITHMS, SECRET_ALGORITHMS, type TokenKey } from '../service/auth/token-key.ts'
import { ConfigError } from './config-error.ts'
import { readDurationMs } from './settings.ts'
import type { Given } from './sources.ts'

/** A shorter secret can be guessed from a token: HS256 wants at least its hash's length. */
const SECRET_BYTES_MIN = 32

const OPTIONS: readonly string[] = ['sign-method', 'pub-key', 'priv-key', 'ttl']

/** Reads a file. Fails as the system does. */
export type ReadFile = (path: string) => Uint8Array

export interface AuthTokenSettings {
  readonly authToken: TokenKey
  /** How long a token is valid, in seconds. */
  readonly authTokenTtl: number
}

/**
 * Reads `--auth-token` (`simple`, or `jwt` with etcd's options), the files that it names, and `--auth-token-key`.
 * `readFile` is missing where there are no files. Fails with a ConfigError.
 */
export function readAuthToken(
  type: Given,
  key: Given | undefined,
  ttlSeconds: number,
  readFile: ReadFile | undefined,
): AuthTokenSettings {
  const [kind, ...options] = type.text.split(',').map((word) => word.trim())
  switch (kind) {
    case 'simple':
      return { authToken: key ? secretKey(key) : { kind: 'stored' }, authTokenTtl: ttlSeconds }
    case 'jwt':
      if (key !== undefined)
        throw new ConfigError(`${key.source} and ${type.source} both say how tokens are signed`)
      return readJwt(type, options, ttlSeconds, readFile)
    default:
      throw new ConfigError(`${type.source} is "${kind}", but must be simple or jwt`)
  }
}

/** The value is a secret, so no message has it. */
function secretKey({ source, text }: Given): TokenKey {
  const secret = new TextEncoder().encode(text)
  if (secret.length < SECRET_BYTES_MIN) throw new ConfigError(`${source} must have at least 32 bytes`)
  return { kind: 'secret', algorithm: 'HS256', secret }
}

function readJwt(
  type: Given,
  words: readonly string[],
  ttlSeconds: number,
  readFile: ReadFile | undefined,
): AuthTokenSettings {
  const options = new Map<string, string>()
  for (const word of words) {
    const [, name, value] = /^([^=]*)=(.*)$/.exec(word) ?? []
    if (name === undefined || value === undefined || !OPTIONS.includes(name)) {
      throw new ConfigError(`${type.source} has "${word}", but its options are ${OPTIONS.join('=, ')}=`)
    }
    options.set(name, value)
  }
  const read = (option: string): Uint8Array | undefined => {
    const path = options.get(option)
    return path === undefined || path === '' ? undefined : readKeyFile(type, option, path, readFile)
  }
  return {
    authToken: keysOf(type, options.get('sign-method') ?? '', read('priv-key'), read('pub-key')),
    authTokenTtl: readTtl(type, options.get('ttl')) ?? ttlSeconds,
  }
}

function keysOf(
  { source }: Given,
  algorithm: string,
  privateKey: Uint8Array | undefined,
  publicKey: Uint8Array | undefined,
): TokenKey {
  const secretAlgorithm = SECRET_ALGORITHMS.find((name) => name === algorithm)
  if (secretAlgorithm !== undefined) {
    if (privateKey === undefined || privateKey.length === 0) {
      throw new ConfigError(`${source} must have priv-key=, a file with the secret`)
    }
    return { kind: 'secret', algorithm: secretAlgorithm, secret: privateKey }
  }
  const known = KEY_ALGORITHMS.find((name) => name === algorithm)
  if (known === undefined) {
    const all = [...SECRET_ALGORITHMS, ...KEY_ALGORITHMS].join(', ')
    if (algorithm === '') throw new ConfigError(`${source} needs sign-method=, one of ${all}`)
    throw new ConfigError(`${source} has sign-method=${algorithm}, but it must be one of ${all}`)
  }
  if (privateKey === undefined) throw new ConfigError(`${source} must have priv-key=: tokens are signed here`)
  const text = new TextDecoder()
  return {
    kind: 'keys',
    algorithm: known,
    privateKeyPem: text.decode(privateKey),
    ...(publicKey && { publicKeyPem: text.decode(publicKey) }),
  }
}

function readKeyFile(
  { source }: Given,
  option: string,
  path: string,
  readFile: ReadFile | undefined,
): Uint8Array {
  if (readFile === undefined) {
    throw new ConfigError(
      `${source} has ${option}=, but there are no files here: set ETCD_AUTH_TOKEN_KEY instead`,
    )
  }
  try {
    return readFile(path)
  } catch (error) {
    throw new ConfigError(`${source}: ${option}=${path}: ${fileErrorReason(error)}`)
  }
}

function readTtl({ source }: Given, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const ms = readDurationMs(text)
  if (ms === undefined || ms < 1000)
    throw new ConfigError(`${source} has ttl=${text}, but it must be a duration of at least 1s`)
  return Math.floor(ms / 1000)
}
