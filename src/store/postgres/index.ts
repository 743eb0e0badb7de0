import { Socket } from 'node:net'
import { type ClientConfig, Pool, type PoolConfig } from 'pg'
import { LIMITS } from '../../etcd/limits.ts'
import { Slots } from '../../slots.ts'
import type { Sql, SqlParameter, SqlRow, Statement } from '../sql.ts'
import { LONG_TIMEOUT_MS, READ_TIMEOUT_MS } from '../timeouts.ts'
import { connectFailure, statementFailure } from './failure.ts'
import { CONNECT_TIMEOUT_MS, Pipeline, queryConfig, twice } from './pipeline.ts'
import { beginSession } from './session.ts'

/** The batch in flight, and lease calls beside it. */
const WRITE_CONNECTIONS_MAX = 4
/** Where stores share a database's connections, each may have a batch in flight, up to so many. */
const SHARED_WRITE_CONNECTIONS_MAX = 16
/** Where stores share a connection for short reads, so long may a read of one hold up those of the others, in milliseconds. */
const SHARED_LOCK_TIMEOUT_MS = 100
/** Reads that may take long. They wait for each other, and nobody else for them. */
const LONG_CONNECTIONS_MAX = 4

/**
 * Opens a PostgreSQL for a process that lives between requests: one pipelined connection for short reads, a few for
 * writes, and a few for long reads, whatever the number of stores that share them. Connects lazily, so it never fails itself;
 * statements fail with a SqlError.
 */
export function openPostgres(config: ClientConfig, stores = 1): Sql {
  const shared: ClientConfig = {
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'edgetcd',
    ...config,
  }
  const short = new Pipeline(
    { ...shared, query_timeout: READ_TIMEOUT_MS },
    { prepare: true, gather: true, lockTimeoutMs: stores > 1 ? SHARED_LOCK_TIMEOUT_MS : undefined },
  )
  const others = Math.max(0, stores - 1)
  const writes = openPool(shared, Math.min(WRITE_CONNECTIONS_MAX + others, SHARED_WRITE_CONNECTIONS_MAX))
  const long = openPool(shared, LONG_CONNECTIONS_MAX)
  // Waiting for a turn is not waiting for the database, which the pool's own queue takes it for.
  const turns = new Slots(LONG_CONNECTIONS_MAX)
  return {
    read: (statement, parameters) => twice(() => short.query(statement, parameters), true),
    long: (statement, parameters) =>
      turns.run(undefined, () =>
        twice(() => queryPool(long.pool, statement, parameters, LONG_TIMEOUT_MS), false),
      ),
    write: (statement, parameters) => queryPool(writes.pool, statement, parameters, LIMITS.requestTimeoutMs),
    close: async () => {
      // Whoever waited for a long read has been told that the server stops.
      long.cut()
      await Promise.all([short.close(), writes.pool.end(), long.pool.end()])
    },
  }
}

/** A pool, and a way to end its connections whatever they are doing. */
function openPool(config: ClientConfig, connectionsMax: number): { readonly pool: Pool; cut(): void } {
  const sockets = new Set<Socket>()
  const stream = () => {
    const socket = new Socket()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  // Pipelined only so that a session's first statements may go ahead of a request's.
  const pool = new Pool({ ...config, stream, max: connectionsMax, pipeline: true } as PoolConfig)
  // An idle connection that is lost is replaced when next needed; whoever runs a statement learns from the statement.
  pool.on('error', () => {})
  pool.on('connect', (client) => {
    // The pool listens to idle connections only: one lost under a statement would end the process.
    client.on('error', () => {})
    beginSession(client, CONNECT_TIMEOUT_MS)
  })
  return {
    pool,
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

async function queryPool(
  pool: Pool,
  statement: Statement,
  parameters: readonly SqlParameter[],
  timeoutMs: number,
): Promise<SqlRow[]> {
  const client = await pool.connect().catch((error: unknown) => {
    throw connectFailure(error)
  })
  let failure: ReturnType<typeof statementFailure> | undefined
  try {
    const query = { ...queryConfig(statement, parameters, true), query_timeout: timeoutMs }
    const result = await client.query<SqlRow[]>(query)
    return result.rows as unknown as SqlRow[]
  } catch (error) {
    failure = statementFailure(error)
    throw failure
  } finally {
    // After an unknown outcome (a time-out too) the connection's state is unknown as well: it isn't used again.
    client.release(failure?.kind === 'unknown')
  }
}
