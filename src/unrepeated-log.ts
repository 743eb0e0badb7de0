import type { Environment, Log } from './environment.ts'

const REPEATED_AFTER_MS = 10_000

/** So many different lines are written in that time at the most. */
const LINES_MAX = 100

/**
 * The same log, but that a line which was written in the last ten seconds isn't written again: for what many requests
 * have to say at once when one thing is wrong.
 */
export function unrepeatedLog({ clock, log }: Pick<Environment, 'clock' | 'log'>): Log {
  /** When each line was written, oldest first. */
  const writtenMs = new Map<string, number>()
  return (level, message, fields) => {
    const nowMs = clock.now()
    for (const [line, atMs] of writtenMs) {
      if (nowMs - atMs < REPEATED_AFTER_MS) break
      writtenMs.delete(line)
    }
    const line = JSON.stringify([level, message, fields])
    if (writtenMs.has(line) || writtenMs.size >= LINES_MAX) return
    writtenMs.set(line, nowMs)
    log(level, message, fields)
  }
}
