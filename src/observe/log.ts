import type { Log, LogLevel } from '../environment.ts'

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]

/** etcd's levels. Nothing is logged at the last three: who sets one of them wants a log that keeps silent. */
export const LOG_THRESHOLDS = [...LOG_LEVELS, 'dpanic', 'panic', 'fatal'] as const

export type LogThreshold = (typeof LOG_THRESHOLDS)[number]

export const LOG_FORMATS = ['json', 'console'] as const

export type LogFormat = (typeof LOG_FORMATS)[number]

/**
 * A log as etcd's own: JSON lines (`{"level","ts","msg",…}`), or for people the same with tabs between. What is below
 * `threshold` is dropped.
 */
export function createLog(
  threshold: LogThreshold,
  write: (line: string) => void,
  format: LogFormat = 'json',
): Log {
  const lowest = LOG_THRESHOLDS.indexOf(threshold)
  return (level, message, fields) => {
    if (LOG_THRESHOLDS.indexOf(level) < lowest) return
    const ts = new Date().toISOString()
    if (format === 'json') write(JSON.stringify({ level, ts, msg: message, ...fields }, replacer))
    else write([ts, level, message, ...(fields ? [JSON.stringify(fields, replacer)] : [])].join('\t'))
  }
}

/** Errors have no enumerable members, and JSON knows no bigint. */
function replacer(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  return value instanceof Error ? (value.stack ?? value.message) : value
}
