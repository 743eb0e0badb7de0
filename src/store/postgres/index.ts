import { type ClientConfig, Pool } from 'pg'
import { LIMITS } from '../../etcd/limits.ts'
import type { Sql, SqlParameter, SqlRow, Statement } from '../sql.ts'
import { connectFailure, statementFailure } from './failure.ts'
import { Pipeline, queryConfig, twice } from './pipeline.ts'
import { beginSession } from './session.ts'

/** Connections beside the pipeline: the batch in flight, lease calls, and what takes long. */
const POOL_CONNECTIONS_MAX = 8
/** How long a server that doesn't answer may hold up a request that needs a new connection. */
const CONNECT_TIMEOUT_MS = 3_000
/** Large ranges and pages of history may take longer than a request is given. */
const LONG_TIMEOUT_MS = 120_000

/**
 * Opens a PostgreSQL for a process that lives between requests: one pipelined connection for short reads, and a pool
 * for writes and long reads. Connects lazily, so it never fails itself; statements fail with a SqlError.
 */
export function openPostgres(config: ClientConfig): Sql {
  const shared: ClientConfig = {
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'edgetcd',
    ...config,
  }
  const pipeline = new Pipeline(
    { ...shared, query_timeout: LIMITS.requestTimeoutMs },
    { prepare: true, gather: true },
  )
  const pool = new Pool({ ...shared, max: POOL_CONNECTIONS_MAX, onConnect: beginSession })
  // An idle connection that is lost is replaced when next needed; whoever runs a statement learns from the statement.
  pool.on('error', () => {})
  // The pool listens to idle connections only: one lost under a statement would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))

  async function pooled(
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

  return {
    read: (statement, parameters) => twice(() => pipeline.query(statement, parameters)),
    long: (statement, parameters) => twice(() => pooled(statement, parameters, LONG_TIMEOUT_MS)),
    write: (statement, parameters) => pooled(statement, parameters, LIMITS.requestTimeoutMs),
    close: async () => {
      await pipeline.close()
      await pool.end()
    },
  }
}
