import { neon, neonConfig } from '@neondatabase/serverless'
import { LIMITS } from '../../etcd/limits.ts'
import { TYPES } from '../postgres/decode.ts'
import { encodeAll } from '../postgres/encode.ts'
import { Pipeline, twice } from '../postgres/pipeline.ts'
import { type Sql, SqlError, type SqlParameter, type SqlRow, type Statement } from '../sql.ts'
import { LONG_TIMEOUT_MS, READ_TIMEOUT_MS } from '../timeouts.ts'
import { textParameter } from './encode.ts'
import { httpFailure, isTooLarge } from './failure.ts'
import { databaseUrl, type NeonPlace, statementUrl } from './place.ts'
import { overWebSocket } from './session.ts'

/**
 * Opens a Neon database for one request of a Worker: each statement is one HTTP request, in an implicit transaction of its
 * own, and nothing is held in between. Rows that are more than Neon sends by HTTP are read again by WebSocket, on a
 * connection that the request closes.
 */
export function openNeon(place: NeonPlace): Sql {
  const run = openHttp(place)
  const session = new Pipeline(overWebSocket(databaseUrl(place), place.proxy, LONG_TIMEOUT_MS), {
    prepare: false,
    gather: false,
  })
  const read: Run = async (statement, parameters, timeoutMs) => {
    try {
      return await run(statement, parameters, timeoutMs)
    } catch (error) {
      if (error instanceof SqlError && isTooLarge(error)) return await session.query(statement, parameters)
      throw error
    }
  }
  return {
    read: (statement, parameters) => twice(() => read(statement, parameters, READ_TIMEOUT_MS), true),
    long: (statement, parameters) => twice(() => read(statement, parameters, LONG_TIMEOUT_MS), false),
    write: (statement, parameters) => run(statement, parameters, LIMITS.requestTimeoutMs),
    close: () => session.close(),
  }
}

type Run = (statement: Statement, parameters: readonly SqlParameter[], timeoutMs: number) => Promise<SqlRow[]>

/** Statements by HTTP, each sent once. */
function openHttp(place: NeonPlace): Run {
  // The driver has it for a whole isolate or process, which serves one database.
  if (place.proxy !== undefined) neonConfig.fetchEndpoint = statementUrl(place.proxy)
  const sql = neon(databaseUrl(place).href, { arrayMode: true })
  return async (statement, parameters, timeoutMs) => {
    const values = encodeAll(statement, parameters, textParameter)
    const fetchOptions = { signal: AbortSignal.timeout(timeoutMs) }
    try {
      return (await sql.query(statement.text, values, { types: TYPES, fetchOptions })) as SqlRow[]
    } catch (error) {
      throw httpFailure(error)
    }
  }
}
