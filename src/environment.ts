/**
 * All effects but SQL come in through this object, so that gateway and services can run in a test under a
 * clock and a random source of the test's own.
 */
export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** A uniformly random positive int64. */
  int63(): bigint
  /** A uniformly random number in [0, 1). */
  fraction(): number
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** One line of structured log. `fields` must be JSON values; errors go under `error`. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void
