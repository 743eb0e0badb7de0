import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { json } from 'node:stream/consumers'
import pg from 'pg'
import { createWebSocketStream, WebSocketServer } from 'ws'

/**
 * What happens to a statement:
 * - `refused`: not run, and answered with an error of the proxy's;
 * - `lost`: not run, the connection is cut;
 * - `cut`: run, and the connection is cut instead of an answer;
 * - `silence`: run, and never answered.
 */
export type NeonFault = 'refused' | 'lost' | 'cut' | 'silence'

/** Neon's protocol in front of a PostgreSQL: statements by HTTP, sessions by WebSocket. It can be made to misbehave. */
export interface NeonProxy extends AsyncDisposable {
  readonly url: string
  /** The texts of the statements that came by HTTP. */
  readonly statements: readonly string[]
  /** How many sessions were begun by WebSocket. */
  readonly sessions: number
  /** Does this to the next statement by HTTP that matches; resolves when it was done. */
  failNext(matching: RegExp, fault: NeonFault): Promise<void>
  /** Cuts every session. New ones work. */
  cutSessions(): void
}

interface Query {
  readonly query: string
  readonly params?: readonly (string | null)[]
}

/** Neon's connections for a role and database: enough that requests rarely wait for each other. */
const POOL_CONNECTIONS_MAX = 20
/** Neon's limit, by its documentation. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const TEXT = { getTypeParser: () => (value: string) => value }

/** Starts a proxy on a free port. Statements go where their connection string says, sessions to `postgresPort`. */
export async function startNeonProxy(
  postgresPort: number,
  { answerBytesMax = ANSWER_BYTES_MAX }: { readonly answerBytesMax?: number } = {},
): Promise<NeonProxy> {
  const pools = new Map<string, pg.Pool>()
  const statements: string[] = []
  const faults: { matching: RegExp; fault: NeonFault; done: () => void }[] = []
  const sockets = new Set<Socket>()
  let sessions = 0

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const query = (await json(request)) as Query
    statements.push(query.query)
    const index = faults.findIndex(({ matching }) => matching.test(query.query))
    const [{ fault, done } = { fault: undefined, done: () => {} }] = index < 0 ? [] : faults.splice(index, 1)
    const given =
      fault === 'refused' || fault === 'lost'
        ? failure(500, { message: 'the proxy was told to fail' })
        : await runQuery(poolOf(request), query, answerBytesMax)
    if (fault === 'lost' || fault === 'cut') request.socket.destroy()
    else if (fault !== 'silence') send(response, given)
    done()
  }
  const poolOf = ({ headers }: IncomingMessage) => {
    const connectionString = String(headers['neon-connection-string'])
    const known = pools.get(connectionString)
    if (known !== undefined) return known
    const pool = new pg.Pool({ connectionString, max: POOL_CONNECTIONS_MAX })
    pool.on('error', () => {}) // PostgreSQL is stopped before the proxy is
    pools.set(connectionString, pool)
    return pool
  }
  const server = createServer((request, response) => {
    // The client has gone, or isn't one.
    answer(request, response).catch(() => request.socket.destroy())
  })
  const webSockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, near: Socket, head) => {
    if (request.url !== '/v2') {
      near.destroy()
      return
    }
    sessions++
    sockets.add(near)
    near.on('close', () => sockets.delete(near))
    webSockets.handleUpgrade(request, near, head, (webSocket) => {
      const bytes = createWebSocketStream(webSocket)
      // However one side ends, so does the other.
      pipeline(bytes, connect(postgresPort, '127.0.0.1'), bytes, () => {})
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cutSessions = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    statements,
    get sessions() {
      return sessions
    },
    failNext: (matching, fault) => new Promise((done) => faults.push({ matching, fault, done })),
    cutSessions,
    async [Symbol.asyncDispose]() {
      cutSessions()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await Promise.all([...pools.values()].map((pool) => pool.end()))
    },
  }
}

interface HttpAnswer {
  readonly status: number
  readonly body: string
}

const failure = (status: number, body: object): HttpAnswer => ({ status, body: JSON.stringify(body) })

function send(response: ServerResponse, { status, body }: HttpAnswer): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(body)
}

/** Runs one statement with the answers of Neon's proxy (sql_over_http.rs): rows as texts, errors with their fields. */
async function runQuery(pool: pg.Pool, { query, params = [] }: Query, bytesMax: number): Promise<HttpAnswer> {
  const config = {
    text: query,
    values: [...params],
    rowMode: 'array' as const,
    types: TEXT,
    queryMode: 'extended',
  }
  try {
    const { command, rowCount, fields, rows } = await pool.query(config)
    const body = JSON.stringify({ command, rowCount, rowAsArray: true, fields, rows })
    if (body.length <= bytesMax) return { status: 200, body }
    return failure(507, { message: `response is too large (max is ${bytesMax} bytes)` })
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const { message } = error
    if (error instanceof pg.DatabaseError) return failure(400, { ...error, message })
    // Without a connection there was nobody to ask; one that was lost under the statement leaves no SQLSTATE.
    return failure('syscall' in error && error.syscall === 'connect' ? 500 : 400, { message, code: '' })
  }
}
