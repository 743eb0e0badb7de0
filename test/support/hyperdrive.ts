import { createServer, type Socket } from 'node:net'
import { Pool } from './hyperdrive-backend.ts'
import { type NamesCount, QueryCache } from './hyperdrive-cache.ts'
import { type Fault, HyperdriveClient, type Shared } from './hyperdrive-client.ts'

/** What a Hyperdrive has done so far. */
export interface HyperdriveCounts {
  /** The texts that clients sent. */
  readonly sent: readonly string[]
  /** How many were answered from the cache, and never reached PostgreSQL. */
  readonly hits: number
  /** How often a client's transaction ran on another connection than its last. */
  readonly switched: number
  /** The texts whose answers the cache takes. */
  readonly cacheable: readonly string[]
  /** The texts that Hyperdrive doesn't support. */
  readonly refused: readonly string[]
}

/** A stand-in for Cloudflare's Hyperdrive: it pools transactions, and caches queries. */
export interface Hyperdrive extends AsyncDisposable {
  /** The connection string for its clients. */
  readonly url: string
  readonly counts: HyperdriveCounts
  /** Has the next statement with this in its text run to its end, and its client not learn of it. */
  loseAnswerTo(fragment: string, fault: Fault): void
  /** Ends every client's connection. What they sent goes on. */
  dropClients(): void
}

export interface HyperdriveOptions {
  readonly namesCount?: NamesCount
  /** The most connections to PostgreSQL; Hyperdrive's smallest pool has five. */
  readonly connections?: number
  /** How long a client waits for a connection when all are lent. */
  readonly patienceMs?: number
}

/**
 * Starts a stand-in for Hyperdrive before a PostgreSQL that trusts whoever comes, made by Cloudflare's documentation:
 * the real one runs nowhere else. It speaks PostgreSQL's protocol to its clients, without TLS and passwords.
 */
export async function startHyperdrive(
  databaseUrl: string,
  { namesCount = 'anywhere', connections = 5, patienceMs = 5000 }: HyperdriveOptions = {},
): Promise<Hyperdrive> {
  const database = new URL(databaseUrl)
  const who = { user: decodeURIComponent(database.username), database: database.pathname.slice(1) }
  const faults: { readonly fragment: string; readonly fault: Fault }[] = []
  const shared: Shared = {
    pool: new Pool({ port: Number(database.port), who, size: connections, patienceMs }),
    cache: new QueryCache(),
    namesCount,
    counts: { hits: 0, switched: 0, sent: [], cacheable: [], refused: [] },
    faultOf(texts) {
      const at = faults.findIndex(({ fragment }) => texts.some((text) => text.includes(fragment)))
      return at < 0 ? undefined : faults.splice(at, 1)[0]?.fault
    },
  }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    new HyperdriveClient(socket, shared)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const dropClients = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `postgres://${database.username}@127.0.0.1:${address.port}${database.pathname}`,
    counts: shared.counts,
    loseAnswerTo: (fragment, fault) => faults.push({ fragment, fault }),
    dropClients,
    async [Symbol.asyncDispose]() {
      server.close()
      dropClients()
      shared.pool.close()
    },
  }
}
