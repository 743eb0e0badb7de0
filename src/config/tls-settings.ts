import { opensslNames } from '../tls/cipher-suites.ts'
import { ConfigError } from './config-error.ts'

export type TlsVersion = 'TLS1.2' | 'TLS1.3'

/** How https is served. */
export interface TlsSettings {
  /** Undefined: a certificate of the server's own making. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string } | undefined
  /** How long the server's own certificate is valid, in years. */
  readonly selfSignedYears: number
  /** Undefined: clients need no certificate. */
  readonly clients: ClientCertificates | undefined
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion | undefined
  /** By OpenSSL's names; undefined: Node's own choice. */
  readonly ciphers: string | undefined
}

export interface ClientCertificates {
  readonly caFile: string
  readonly crlFile: string | undefined
  /** The certificate must be for one of these names or addresses; none: for anybody that the authority knows. */
  readonly allowedHostnames: readonly string[]
  /** Over gRPC, whoever comes without a token is the user whom the certificate's common name names. */
  readonly nameUsers: boolean
}

/** The settings that are about TLS, by their names as flags. */
export interface TlsFlags {
  readonly 'cert-file'?: string | undefined
  readonly 'key-file'?: string | undefined
  readonly 'trusted-ca-file'?: string | undefined
  readonly 'client-cert-auth': boolean
  readonly 'client-crl-file'?: string | undefined
  readonly 'client-cert-allowed-hostname': readonly string[]
  readonly 'auto-tls': boolean
  readonly 'self-signed-cert-validity': number
  readonly 'tls-min-version': TlsVersion
  readonly 'tls-max-version'?: TlsVersion | undefined
  readonly 'cipher-suites': readonly string[]
}

/**
 * Reads how https is served; undefined where only http is. As in etcd, authorities of client certificates make these
 * required. Fails with a ConfigError for what would leave a door open that somebody believes to be shut.
 */
export function readTls(flags: TlsFlags, urls: readonly string[]): TlsSettings | undefined {
  if (!urls.some((url) => url.startsWith('https:'))) {
    if (flags['client-cert-auth']) {
      throw new ConfigError(
        '--client-cert-auth protects nothing: there is no https URL in --listen-client-urls',
      )
    }
    return undefined
  }
  const min = flags['tls-min-version']
  const max = flags['tls-max-version']
  if (max !== undefined && min > max) {
    throw new ConfigError(`--tls-min-version (${min}) is above --tls-max-version (${max})`)
  }
  return {
    certificate: readCertificate(flags),
    selfSignedYears: flags['self-signed-cert-validity'],
    clients: readClients(flags),
    minVersion: min,
    maxVersion: max,
    ciphers: readCiphers(flags['cipher-suites'], min, max),
  }
}

function readCertificate(flags: TlsFlags): TlsSettings['certificate'] {
  const certFile = flags['cert-file']
  const keyFile = flags['key-file']
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile }
  if (certFile !== undefined || keyFile !== undefined) {
    throw new ConfigError('--cert-file and --key-file belong together: give both')
  }
  if (flags['auto-tls']) return undefined
  throw new ConfigError('an https URL needs --cert-file and --key-file, or --auto-tls')
}

function readClients(flags: TlsFlags): ClientCertificates | undefined {
  const caFile = flags['trusted-ca-file']
  const crlFile = flags['client-crl-file']
  const allowedHostnames = flags['client-cert-allowed-hostname']
  const nameUsers = flags['client-cert-auth']
  if (caFile !== undefined) return { caFile, crlFile, allowedHostnames, nameUsers }
  if (flags['client-cert-auth']) {
    throw new ConfigError(
      '--client-cert-auth needs --trusted-ca-file: the authorities whose certificates are good',
    )
  }
  if (crlFile !== undefined || allowedHostnames.length > 0) {
    const flag = crlFile === undefined ? 'client-cert-allowed-hostname' : 'client-crl-file'
    throw new ConfigError(`--${flag} protects nothing without --client-cert-auth and --trusted-ca-file`)
  }
  return undefined
}

function readCiphers(
  suites: readonly string[],
  min: TlsVersion,
  max: TlsVersion | undefined,
): string | undefined {
  if (suites.length === 0) return undefined
  if (min === 'TLS1.3') throw new ConfigError('--cipher-suites is for TLS 1.2, and only TLS 1.3 is enabled')
  return opensslNames(suites, max !== 'TLS1.2')
}
