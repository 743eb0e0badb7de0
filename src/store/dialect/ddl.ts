import type { ClientBase } from 'pg'
import type { Dialect } from './dialect.ts'

/** A comment, a quoted text or name, the end of a statement. */
const TOKENS = /--.*|\$\$[\s\S]*?\$\$|'[^']*'|"[^"]*"|;/g

/** The statements of an SQL file, one by one; comments and the bodies of functions may hold anything. */
export function statementsIn(text: string): string[] {
  const statements: string[] = []
  let start = 0
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token !== ';') continue
    statements.push(text.slice(start, index))
    start = index + 1
  }
  statements.push(text.slice(start))
  return statements.map((statement) => statement.replace(/^(\s*--.*\n|\s+)+/, '')).filter((s) => s !== '')
}

/** Runs a file of a dialect: as one, within the transaction that is open, or statement by statement, as often as need be. */
export function executor(
  client: ClientBase,
  { transactionalDdl }: Pick<Dialect, 'transactionalDdl'>,
): (text: string) => Promise<void> {
  if (transactionalDdl)
    return async (text) => {
      await client.query(text)
    }
  return async (text) => {
    for (const statement of statementsIn(text))
      await client.query(statement.replace(/^create table /, 'create table if not exists '))
  }
}
