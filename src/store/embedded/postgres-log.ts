/** PostgreSQL's messages, as they come out of its standard error, on their way into our log. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Log, LogLevel } from '../../environment.ts'

/** Lines kept for the error that says why PostgreSQL ended. */
const TAIL_LINES = 8

export interface PostgresLog {
  /** The last lines that were no mere notices, for an error's text. */
  tail(): string
  /** Resolves at the first line from now on that has these words in it. */
  says(words: string): Promise<void>
  /** Resolves when every process that could write has ended. */
  readonly finished: Promise<void>
}

/**
 * Forwards the lines of `stream` to `log`. FATAL and PANIC are our errors, WARNING and
 * ERROR (whoever sent the statement has been told) our warnings; the rest is for debugging. While `quiet()` holds,
 * all is: the complaints of a database that is being stopped.
 */
export function forwardLog(stream: Readable, log: Log, quiet: () => boolean = () => false): PostgresLog {
  const kept: string[] = []
  const lines = createInterface({ input: stream })
  let level: LogLevel = 'debug'
  lines.on('line', (line) => {
    level = levelOf(line) ?? level
    if (line.trim() === '') return
    log(quiet() ? 'debug' : level, `postgres: ${line.trim()}`)
    kept.push(line.trim())
    if (kept.length > TAIL_LINES) kept.shift()
  })
  return {
    tail: () => kept.join(' / '),
    says: (words) =>
      new Promise((resolve) => {
        lines.on('line', (line) => {
          if (line.includes(words)) resolve()
        })
      }),
    finished: new Promise((resolve) => lines.once('close', resolve)),
  }
}

/** Undefined for what continues the message before: DETAIL, HINT, and lines that begin with a tab. */
export function levelOf(line: string): LogLevel | undefined {
  switch (/^(?:\w+: )?([A-Z]+[0-9]?): /.exec(line)?.[1]) {
    case 'FATAL':
    case 'PANIC':
      return 'error'
    case 'ERROR':
    case 'WARNING':
      return 'warn'
    case 'LOG':
    case 'INFO':
    case 'NOTICE':
      return 'debug'
    default:
      return undefined
  }
}
