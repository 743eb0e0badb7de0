/**
 * https on Node: a server whose certificates are those of the files at the moment of each handshake, as etcd's are, and
 * which lets only those clients in that have a certificate, where one is asked for.
 */
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import { join } from 'node:path'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import type { TlsSettings } from '../config/tls-settings.ts'
import type { Log } from '../environment.ts'
import { errorText } from '../thrown.ts'
import { isAllowed } from './allowed-hostname.ts'
import { readTlsFiles } from './files.ts'
import { type KeyPair, keptSelfSigned } from './self-signed.ts'

/** etcd's: how long a handshake may take. */
const HANDSHAKE_TIMEOUT_MS = 10_000

const VERSIONS = { 'TLS1.2': 'TLSv1.2', 'TLS1.3': 'TLSv1.3' } as const

export interface TlsOptions {
  readonly settings: TlsSettings
  /** Where a certificate of the server's own making is kept. */
  readonly dataDir: string
  /** Whom that one is for: names and addresses. */
  readonly hosts: readonly string[]
  readonly log: Log
}

/**
 * Makes the https server. Connections of clients that speak HTTP/2 and nothing else, as gRPC's do, go to `http2`. Fails
 * with an Error fit to be shown when a file can't be used.
 */
export function createTlsServer(
  { settings, dataDir, hosts, log }: TlsOptions,
  options: ServerOptions,
  listener: RequestListener,
  http2?: (socket: TLSSocket) => void,
): Server {
  const files = filesOf(settings)
  const own =
    settings.certificate === undefined
      ? keptSelfSigned(join(dataDir, 'tls'), hosts, settings.selfSignedYears)
      : undefined
  const read = () => readContext(settings, own)
  let seen = stampOf(files)
  const asked = settings.clients !== undefined
  const clients = { requestCert: asked, rejectUnauthorized: asked }
  const server = createServer(
    {
      ...options,
      ...read(),
      ...clients,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      ...(http2 && { ALPNCallback: ({ protocols }) => chooseProtocol(protocols) }),
    },
    listener,
  )
  if (http2 !== undefined) divide(server, http2)
  // Ahead of the server's own listener, which begins the handshake with the certificates that it then has.
  server.prependListener('connection', () => {
    const stamp = stampOf(files)
    if (stamp === seen) return
    seen = stamp
    try {
      server.setSecureContext(read())
      log('info', 'certificates have been read again')
    } catch (error) {
      log('warn', 'new certificates can’t be used; the last ones stay', { error: errorText(error) })
    }
  })
  server.prependListener('secureConnection', (socket) => refuseStrangers(socket, settings, log))
  server.on('tlsClientError', (error, socket) => {
    log('debug', 'a TLS handshake failed', { client: socket.remoteAddress, error: errorText(error) })
  })
  return server
}

/** Browsers and curl offer both, and what they want is served by HTTP/1. */
function chooseProtocol(offered: readonly string[]): string | undefined {
  return ['http/1.1', 'h2'].find((protocol) => offered.includes(protocol))
}

function divide(server: Server, http2: (socket: TLSSocket) => void): void {
  const http1 = server.listeners('secureConnection')
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') http2(socket)
    else for (const listener of http1) listener.call(server, socket)
  })
}

function readContext(
  settings: TlsSettings,
  own: KeyPair | undefined,
): SecureContextOptions & { ticketKeys: Buffer } {
  const { minVersion, maxVersion, ciphers } = settings
  const { certificate, ...clients } = readTlsFiles(settings)
  return {
    ...(own ?? certificate),
    ...clients,
    minVersion: VERSIONS[minVersion],
    ...(maxVersion && { maxVersion: VERSIONS[maxVersion] }),
    ...(ciphers && { ciphers }),
    // A session from before would get past a certificate's revocation.
    ticketKeys: randomBytes(48),
  }
}

/** Node's handshake can ask for any certificate of the authority's; whose it is shows afterwards. */
function refuseStrangers(socket: TLSSocket, { clients }: TlsSettings, log: Log): void {
  if (clients === undefined || clients.allowedHostnames.length === 0) return
  const certificate = socket.getPeerX509Certificate()
  if (certificate !== undefined && isAllowed(certificate, clients.allowedHostnames)) return
  log('warn', 'a client’s certificate is for none of the allowed hostnames', { client: socket.remoteAddress })
  socket.destroy()
}

function filesOf({ certificate, clients }: TlsSettings): string[] {
  return [certificate?.certFile, certificate?.keyFile, clients?.caFile, clients?.crlFile].filter(
    (path) => path !== undefined,
  )
}

/** Changes when a file does. One that can't be looked at has a stamp, too: its return is a change. */
function stampOf(files: readonly string[]): string {
  const stamps = files.map((path) => {
    try {
      const { ino, size, mtimeMs } = statSync(path)
      return `${ino}.${size}.${mtimeMs}`
    } catch (error) {
      return errorText(error)
    }
  })
  return stamps.join(' ')
}
