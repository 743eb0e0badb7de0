/**
 * The seam to a driver. Everything above speaks statements and typed parameters; everything below is one folder a
 * driver. Rows come back as arrays, in the order of the statement's columns.
 */

/** What a parameter is. Drivers encode by it; none guesses from the JavaScript value. */
export type SqlType = 'int8' | 'int4' | 'bool' | 'text' | 'bytea' | 'int2[]' | 'int4[]' | 'int8[]' | 'bytea[]'

export type SqlScalar = bigint | number | boolean | string | Uint8Array | null
export type SqlParameter = SqlScalar | readonly SqlScalar[]

/**
 * One SQL text with its parameter types. `name` is stable for the text, so that a driver may prepare it once a
 * connection. The schema is written in, and the text carries the Hyperdrive marker (see statement.ts).
 */
export interface Statement {
  readonly name: string
  readonly text: string
  readonly types: readonly SqlType[]
}

/** int2/int4 are numbers, int8 is bigint, bytea is Uint8Array; text and everything else are strings. */
export type SqlRow = readonly SqlScalar[]

/**
 * A connection or several to one database.
 *
 * - `read` runs a statement that changes nothing: short, may share a connection, run again after a lost connection.
 * - `long` is for reads that take long (large ranges, history): never in front of a short one.
 * - `write` runs a statement that may change something, alone in its implicit transaction, exactly once.
 *
 * All fail with a SqlError.
 */
export interface Sql {
  read(statement: Statement, parameters: readonly SqlParameter[]): Promise<SqlRow[]>
  long(statement: Statement, parameters: readonly SqlParameter[]): Promise<SqlRow[]>
  write(statement: Statement, parameters: readonly SqlParameter[]): Promise<SqlRow[]>
  close(): Promise<void>
}

/**
 * Why a statement failed, as far as correctness cares (invariant 10):
 * - `unreachable`: no connection, so nothing happened;
 * - `unknown`: the connection was lost with the statement in flight, so a write may or may not have happened;
 * - `failed`: the database answered with an error, so nothing happened; `sqlstate` says which.
 */
export class SqlError extends Error {
  readonly kind: 'unreachable' | 'unknown' | 'failed'
  readonly sqlstate: string | undefined
  /** No answer came in time. */
  readonly timedOut: boolean

  constructor(
    kind: SqlError['kind'],
    message: string,
    options: { sqlstate?: string; timedOut?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'SqlError'
    this.kind = kind
    this.sqlstate = options.sqlstate
    this.timedOut = options.timedOut ?? false
  }
}
