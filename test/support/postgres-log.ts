import { randomUUID } from 'node:crypto'
import type { Postgres } from './postgres.ts'

/** Begins every entry of the log, so that one of several lines can be told from several entries. */
const ENTRY = '=entry='

/** Settings that let a test read what a server did from its log. */
export const LOG_ENTRIES = { log_line_prefix: `${ENTRY}%a=` }

/** What PostgreSQL logged while `action` ran, one entry after the other, each with the application's name before it. */
export async function logDuring(postgres: Postgres, action: () => Promise<unknown>): Promise<string[]> {
  const from = await mark(postgres)
  await action()
  const to = await mark(postgres)
  const log = postgres.log()
  // The first and the last are what is left of the marks' own.
  return log.slice(log.indexOf(from), log.indexOf(to)).split(ENTRY).slice(1, -1)
}

/** Writes a unique word to the log, and waits until it has come through the pipe: so has all that was before. */
async function mark(postgres: Postgres): Promise<string> {
  const word = randomUUID()
  await postgres.query(`do $$ begin raise log 'mark ${word}'; end $$`)
  while (!postgres.log().includes(`mark ${word}`)) await new Promise((resolve) => setTimeout(resolve, 5))
  return `mark ${word}`
}
