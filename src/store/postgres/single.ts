import type { ClientConfig } from 'pg'
import { LIMITS } from '../../etcd/limits.ts'
import type { Sql } from '../sql.ts'
import { CONNECT_TIMEOUT_MS, Pipeline, sqlOver } from './pipeline.ts'

/**
 * Opens one connection, for one request of a Worker or for its coordinator: it connects when the first statement is sent,
 * and again after it was lost. Statements are not prepared: a request is over too soon for that, and a pooler gives each
 * transaction another session.
 */
export function openSingleConnection(config: ClientConfig): Sql {
  const pipeline = new Pipeline(
    { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...config, query_timeout: LIMITS.requestTimeoutMs },
    { prepare: false, gather: false },
  )
  return sqlOver(pipeline)
}
