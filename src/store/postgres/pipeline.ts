import { Socket } from 'node:net'
import { Client, type ClientConfig } from 'pg'
import { type Sql, SqlError, type SqlParameter, type SqlRow, type Statement } from '../sql.ts'
import { TYPES } from './decode.ts'
import { encodeAll, encodeParameter } from './encode.ts'
import { connectFailure, statementFailure } from './failure.ts'
import { beginSession } from './session.ts'

/** How long a server that doesn't answer may hold up a request that needs a new connection. */
export const CONNECT_TIMEOUT_MS = 3_000

/**
 * The statement that this one relied on to be prepared was sent just before it, and failed at that: it was never run, and is
 * prepared anew by the next one.
 */
export const NOT_PREPARED = '26000'

/** What `pg` is asked for one statement. Prepared once a connection under the statement's name when `prepare`. */
export function queryConfig(statement: Statement, parameters: readonly SqlParameter[], prepare: boolean) {
  return {
    ...(prepare && { name: statement.name }),
    text: statement.text,
    values: encodeAll(statement, parameters, encodeParameter),
    rowMode: 'array' as const,
    types: TYPES,
  }
}

export interface PipelineOptions {
  readonly prepare: boolean
  readonly gather: boolean
  readonly lockTimeoutMs?: number | undefined
}

/**
 * One connection that many requests share: each statement is sent at once, without waiting for the answers before it.
 * For what is short, since a pipeline has one head. Connects when first asked, and again after it was lost.
 */
export class Pipeline {
  readonly #config: ClientConfig
  readonly #prepare: boolean
  readonly #gather: (() => void) | undefined
  readonly #lockTimeoutMs: number | undefined
  #client: Promise<Client> | undefined

  /**
   * `prepare`: whether statements are prepared once for the connection, worth it where it lives long. `gather`: whether the
   * statements of one turn of the event loop leave in one write, worth it where many requests share the connection.
   * `lockTimeoutMs`: how long one statement may wait for a table that somebody has to himself, and all behind it with it.
   */
  constructor(config: ClientConfig, { prepare, gather, lockTimeoutMs }: PipelineOptions) {
    const gathering = gather ? gatherWrites() : undefined
    this.#config = { ...config, pipeline: true, ...(gathering && { stream: gathering.stream }) }
    this.#gather = gathering?.gather
    this.#prepare = prepare
    this.#lockTimeoutMs = lockTimeoutMs
  }

  /** Runs one statement. Fails with a SqlError; a lost connection is forgotten, so that the next call connects anew. */
  async query(statement: Statement, parameters: readonly SqlParameter[]): Promise<SqlRow[]> {
    try {
      return await this.#query(statement, parameters)
    } catch (error) {
      if (error instanceof SqlError && error.sqlstate === NOT_PREPARED)
        return this.#query(statement, parameters)
      throw error
    }
  }

  async #query(statement: Statement, parameters: readonly SqlParameter[]): Promise<SqlRow[]> {
    const client = await this.#connected()
    try {
      this.#gather?.()
      const result = await client.query<SqlRow[]>(queryConfig(statement, parameters, this.#prepare))
      return result.rows as unknown as SqlRow[]
    } catch (error) {
      throw statementFailure(error)
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await (await client?.catch(() => undefined))?.end()
  }

  #connected(): Promise<Client> {
    if (this.#client === undefined) {
      const client = new Client(this.#config)
      const connecting = this.#connect(client)
      this.#client = connecting
      // A connection lost while idle is reported here only; one lost under a statement fails that statement too. A new
      // one may be there already when an old one reports its end.
      client.on('error', () => this.#forget(connecting))
      client.on('end', () => this.#forget(connecting))
      connecting.catch(() => this.#forget(connecting))
    }
    return this.#client
  }

  async #connect(client: Client): Promise<Client> {
    try {
      await client.connect()
    } catch (error) {
      throw connectFailure(error)
    }
    if (this.#prepare) beginSession(client, CONNECT_TIMEOUT_MS, this.#lockTimeoutMs)
    return client
  }

  #forget(client: Promise<Client>): void {
    if (this.#client === client) this.#client = undefined
  }
}

/** A database that is asked over one connection, for everything. What takes longer than that one's time isn't asked again. */
export function sqlOver(pipeline: Pipeline): Sql {
  const read: Sql['read'] = (statement, parameters) =>
    twice(() => pipeline.query(statement, parameters), false)
  return {
    read,
    long: read,
    write: (statement, parameters) => pipeline.query(statement, parameters),
    close: () => pipeline.close(),
  }
}

/** A socket for `pg` whose writes of one turn of the event loop go out together: a system call is dearer than a query. */
function gatherWrites() {
  let socket: Socket | undefined
  let gathering = false
  return {
    stream: () => {
      socket = new Socket()
      return socket
    },
    gather: () => {
      if (gathering) return
      gathering = true
      const corked = socket
      corked?.cork()
      setImmediate(() => {
        gathering = false
        corked?.uncork()
      })
    },
  }
}

/**
 * Runs a read again when its connection was lost under it: one that was lost while idle shows only when it is used, and
 * a read changes nothing. A time-out of a short read is such a loss; one of a long read is not.
 */
export async function twice(read: () => Promise<SqlRow[]>, retryTimeouts: boolean): Promise<SqlRow[]> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof SqlError && error.kind === 'unknown' && (retryTimeouts || !error.timedOut))
      return read()
    throw error
  }
}
