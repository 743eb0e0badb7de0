import type { Sql, SqlParameter, SqlRow, Statement } from '../../src/store/sql.ts'

/**
 * What Hyperdrive's documentation says of its query cache: a SELECT is kept by its text and parameters for 60 seconds,
 * unless its text names one of PostgreSQL's volatile or stable functions. The names are found in the text, comments
 * included, so a function of our own is not among them.
 */
const UNCACHEABLE_NAMES =
  /\b(now|current_timestamp|clock_timestamp|statement_timestamp|random|nextval|currval|lastval|pg_\w+)\b/i
const LIFETIME_MS = 60_000

const serialize = (parameters: readonly SqlParameter[]): string =>
  JSON.stringify(parameters, (_, value) =>
    typeof value === 'bigint'
      ? `${value}n`
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('hex')
        : value,
  )

/** A stand-in for Hyperdrive with its query cache on. `rewrite` changes each text before it is looked at. */
export function withQueryCache(sql: Sql, rewrite: (text: string) => string = (text) => text): Sql {
  const cache = new Map<string, { readonly at: number; readonly rows: Promise<SqlRow[]> }>()
  const through =
    (run: Sql['read']): Sql['read'] =>
    (statement: Statement, parameters) => {
      const text = rewrite(statement.text)
      const cacheable = /^\s*(select|with)\b/i.test(text) && !UNCACHEABLE_NAMES.test(text)
      if (!cacheable) return run(statement, parameters)
      const key = `${text}\n${serialize(parameters)}`
      const kept = cache.get(key)
      if (kept !== undefined && Date.now() - kept.at < LIFETIME_MS) return kept.rows
      const rows = run(statement, parameters)
      cache.set(key, { at: Date.now(), rows })
      return rows
    }
  return { read: through(sql.read), long: through(sql.long), write: through(sql.write), close: sql.close }
}
