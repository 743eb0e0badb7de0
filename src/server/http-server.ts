import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import type { Gateway } from '../gateway/node.ts'
import type { GrpcServer } from '../grpc/server.ts'
import { errorCode, errorText } from '../thrown.ts'
import { createTlsServer, type TlsOptions } from '../tls/index.ts'
import { hostOf } from './first-call.ts'
import { type Protocols, sniff } from './protocol-sniffer.ts'

/** How long a client may take for its headers: etcd's five minutes would let few of them hold many sockets. */
const HEADERS_TIMEOUT_MS = 60_000
/** Go's default. It is how a peer that is gone without a word is noticed on an idle watch. */
const TCP_KEEPALIVE_MS = 15_000
/** What a call may still take when the server stops, and then what its answer may take to be sent. */
const CALLS_GRACE_MS = 5_000
const ANSWERS_GRACE_MS = 1_000

export interface HttpServers {
  /** Where they listen, with the port that the system chose where it was asked to. */
  readonly urls: readonly string[]
  /**
   * Stops accepting, ends streams cleanly, finishes what was accepted. Calls that wait for others are told after some
   * seconds that the server has stopped.
   */
  stop(): Promise<void>
}

/**
 * Listens on each URL, http or https; `tls` says how https is served, and `grpc` has the connections that speak HTTP/2.
 * Fails with an Error fit to be shown, and then listens on none.
 */
export async function listen(
  urls: readonly string[],
  gateway: Gateway,
  { grpc, tls }: { readonly grpc?: GrpcServer | undefined; readonly tls?: TlsOptions | undefined } = {},
): Promise<HttpServers> {
  const servers: TcpServer[] = []
  const sockets = new Set<Socket>()
  try {
    for (const url of urls) {
      const server = await listenOn(new URL(url), gateway, grpc, tls)
      servers.push(server)
      server.on('connection', (socket: Socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
      })
    }
  } catch (error) {
    await Promise.all(servers.map(closed))
    throw error
  }
  return {
    urls: urls.map((url, at) => withRealPort(url, servers[at]?.address())),
    async stop() {
      const all = Promise.all(servers.map(closed))
      // Node waits for those that have said nothing yet.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      gateway.endStreams()
      grpc?.endStreams()
      const endCalls = () => {
        gateway.endCalls()
        grpc?.endCalls()
      }
      const giveUp = setTimeout(endCalls, CALLS_GRACE_MS)
      const cut = setTimeout(() => {
        // With those whose handshake hasn't ended, which no server counts as its connections.
        for (const socket of sockets) socket.destroy()
      }, CALLS_GRACE_MS + ANSWERS_GRACE_MS)
      await all
      clearTimeout(giveUp)
      clearTimeout(cut)
    },
  }
}

/** Fails as `listen` would where one of the URLs can't be listened on, and listens on none of them afterwards. */
export async function tryPorts(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    const server = createTcpServer((socket) => socket.destroy())
    await listening(server, new URL(url))
    await new Promise((resolve) => server.close(resolve))
  }
}

async function listenOn(
  url: URL,
  gateway: Gateway,
  grpc: GrpcServer | undefined,
  tls: TlsOptions | undefined,
): Promise<TcpServer> {
  const server =
    url.protocol === 'https:' && tls !== undefined
      ? tlsServer(gateway, grpc, tls)
      : plainServer(gateway, grpc)
  await listening(server, url)
  return server
}

const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: TCP_KEEPALIVE_MS,
}

const HTTP1_OPTIONS = {
  ...SOCKET_OPTIONS,
  headersTimeout: HEADERS_TIMEOUT_MS,
  // Streams and idle connections live as long as their clients want; the gateway limits the bodies of calls.
  requestTimeout: 0,
  keepAliveTimeout: 0,
}

/** HTTP/1 and, where gRPC is served, HTTP/2: the first bytes of a connection tell. */
function plainServer(gateway: Gateway, grpc: GrpcServer | undefined): TcpServer {
  const http1 = upgradable(createServer(HTTP1_OPTIONS, gateway.listener), gateway)
  if (grpc === undefined) return http1
  const protocols: Protocols = {
    http1: (socket) => http1.emit('connection', socket),
    http2: (socket) => grpc.accept(socket),
  }
  const server = createTcpServer(SOCKET_OPTIONS, (socket) => sniff(socket, protocols, HEADERS_TIMEOUT_MS))
  // It never listens itself, but minds its connections as if it did: their time-outs, and which are idle when it closes.
  http1.emit('listening')
  const close = server.close.bind(server)
  server.close = (done) => {
    http1.close(() => {})
    return close(done)
  }
  return server
}

function tlsServer(gateway: Gateway, grpc: GrpcServer | undefined, tls: TlsOptions): TcpServer {
  const server = createTlsServer(tls, HTTP1_OPTIONS, gateway.listener, grpc?.accept)
  return upgradable(server, gateway)
}

function upgradable<S extends Server | TlsServer>(server: S, gateway: Gateway): S {
  server.on('upgrade', (incoming, socket, head) => gateway.upgrade(server, incoming, socket, head))
  return server
}

async function listening(server: TcpServer, url: URL): Promise<void> {
  const begun = once(server, 'listening')
  server.listen({ host: hostOf(url), port: portOf(url) })
  await begun.catch((error: unknown) => {
    throw new Error(explain(url, error), { cause: error })
  })
}

/** URL leaves the port of its protocol out. */
function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port)
  return url.protocol === 'https:' ? 443 : 80
}

function withRealPort(url: string, address: AddressInfo | string | null | undefined): string {
  return typeof address === 'object' && address !== null ? url.replace(/:0$/, `:${address.port}`) : url
}

function explain(url: URL, error: unknown): string {
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return `can't listen on ${url.origin}: another program listens there; choose another port, with --listen-client-urls or where --store or --listen-metrics-urls names this one`
    case 'EACCES':
      return `can't listen on ${url.origin}: this account may not use that port`
    case 'EADDRNOTAVAIL':
      return `can't listen on ${url.origin}: this machine has no such address`
    default:
      return `can't listen on ${url.origin}: ${errorText(error)}`
  }
}

async function closed(server: TcpServer): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
}
