import type { ClientConfig } from 'pg'
import { LIMITS } from '../../etcd/limits.ts'
import type { Sql } from '../sql.ts'
import { CONNECT_TIMEOUT_MS, Pipeline, twice } from './pipeline.ts'

/**
 * Opens one connection for one request of a Worker, where nothing may be shared between requests: it connects when the
 * first statement is sent, and the request closes it. Statements are not prepared, the connection is too short-lived.
 */
export function openSingleConnection(config: ClientConfig): Sql {
  const pipeline = new Pipeline(
    { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...config, query_timeout: LIMITS.requestTimeoutMs },
    { prepare: false, gather: false },
  )
  return {
    read: (statement, parameters) => twice(() => pipeline.query(statement, parameters), false),
    long: (statement, parameters) => twice(() => pipeline.query(statement, parameters), false),
    write: (statement, parameters) => pipeline.query(statement, parameters),
    close: () => pipeline.close(),
  }
}
