import type { Log, LogLevel } from '../environment.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]

/** A log of JSON lines: `{"level","ts","msg",…}`, as etcd's own. Lines below `threshold` are dropped. */
export function createLog(threshold: LogLevel, write: (line: string) => void): Log {
  const lowest = LOG_LEVELS.indexOf(threshold)
  return (level, message, fields) => {
    if (LOG_LEVELS.indexOf(level) < lowest) return
    write(JSON.stringify({ level, ts: new Date().toISOString(), msg: message, ...fields }, replacer))
  }
}

/** Errors have no enumerable members, and JSON knows no bigint. */
function replacer(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  return value instanceof Error ? (value.stack ?? value.message) : value
}
