import type { ClientConfig } from 'pg'
import { LIMITS } from '../../etcd/limits.ts'
import { CONNECT_TIMEOUT_MS, Pipeline, sqlOver } from '../postgres/pipeline.ts'
import type { Sql } from '../sql.ts'
import { databaseUrl, type NeonPlace, socketUrl, withoutPooler } from './place.ts'
import { WebSocketStream } from './web-socket-stream.ts'

/**
 * `pg` on Neon's WebSocket. The driver has a client of its own for it, a `pg` of before there were pipelines; and it
 * drops what it hasn't sent yet when it is told to end.
 */
export function overWebSocket(url: URL, proxy: string | undefined, timeoutMs: number): ClientConfig {
  return {
    connectionString: url.href,
    ssl: false,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: timeoutMs,
    stream: () => new WebSocketStream(socketUrl(url, proxy)),
  } as ClientConfig
}

/**
 * Opens one session of a Neon database for who lives between requests. It connects when the first statement is sent, and
 * again after it was lost.
 */
export function openNeonSession(place: NeonPlace): Sql {
  const url = withoutPooler(databaseUrl(place))
  const pipeline = new Pipeline(overWebSocket(url, place.proxy, LIMITS.requestTimeoutMs), {
    prepare: true,
    gather: false,
  })
  return sqlOver(pipeline)
}
