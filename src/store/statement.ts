import type { SqlType, Statement } from './sql.ts'

/**
 * Hyperdrive caches what looks like a plain SELECT, and a call of our own functions looks like one: a repeated put
 * would be answered from its cache and never done. It leaves alone any text that names a volatile function of its
 * list, comments included, so every statement that leaves the store carries this one.
 */
export const UNCACHEABLE = '/* now() */'

/**
 * The same for a pooler that looks into no comment, which the documentation leaves open: a call that no plan contains,
 * since nothing refers to it.
 */
const CLOCK = 'uncacheable as (select now())'

/** Milliseconds until the next lease is due (0 or below: it is), or null without leases. By index, in any plan. */
const DUE =
  '(select floor(extract(epoch from l.expires_at - clock_timestamp()) * 1000)::bigint from :schema.lease l order by l.expires_at limit 1)'

/** Quotes an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Replaces `:schema` in an SQL text by the quoted schema name. */
export function writeSchema(text: string, schema: string): string {
  return text.replaceAll(':schema', quoteIdentifier(schema))
}

/** Puts the call of a volatile function into a text that could be taken for a plain SELECT. */
function withClock(text: string): string {
  return text.replace(/^(select\b|with (recursive )?)/, (start, _, recursive = '') =>
    start === 'select' ? `with ${CLOCK} select` : `with ${recursive}${CLOCK}, `,
  )
}

/** SQL files open with a comment for the reader; the database is sent the statement alone. */
function stripComments(text: string): string {
  return text
    .replace(/^\s*--.*$/gm, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/**
 * Makes the statements of one schema from the texts of the .sql files, each when it is first asked for by its name.
 *
 * `fragments` replace `:name` in the text, from a closed set that the caller writes out: nothing that comes from a
 * request is ever written into a text.
 */
export function statementFactory(schema: string) {
  const made = new Map<string, Statement>()
  return (
    name: string,
    text: string,
    types: readonly SqlType[],
    fragments: Readonly<Record<string, string>> = {},
  ): Statement => {
    const before = made.get(name)
    if (before !== undefined) return before
    let written = stripComments(text)
    for (const [fragment, value] of Object.entries({ ...fragments, due: DUE })) {
      written = written.replaceAll(new RegExp(`:${fragment}\\b`, 'g'), () => value)
    }
    // The types are said, not deduced: a parameter used in two ways would be refused.
    written = written.replaceAll(
      /\$(\d+)/g,
      (parameter, number) => `${parameter}::${types[Number(number) - 1]}`,
    )
    const statement = { name, types, text: `${withClock(writeSchema(written, schema))} ${UNCACHEABLE}` }
    made.set(name, statement)
    return statement
  }
}
export type StatementFactory = ReturnType<typeof statementFactory>
