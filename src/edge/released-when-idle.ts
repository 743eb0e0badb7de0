import type { Environment } from '../environment.ts'
import type { Sql } from '../store/sql.ts'
import { errorText } from '../thrown.ts'

/**
 * A connection that is opened when it is first used, closed when nobody has used it for `idleMs`, and opened again when
 * it is used again.
 */
export function releasedWhenIdle(open: () => Sql, idleMs: number, { clock, log }: Environment): Sql {
  let held: Sql | undefined
  let users = 0
  let resting = new AbortController()

  const release = async () => {
    const idle = held
    held = undefined
    try {
      await idle?.close()
    } catch (error) {
      log('warn', 'an idle connection broke when it was closed', { error: errorText(error) })
    }
  }

  const rest = async () => {
    resting = new AbortController()
    const { signal } = resting
    await clock.sleep(idleMs, signal)
    if (!signal.aborted) await release()
  }

  const use = async <T>(run: (sql: Sql) => Promise<T>): Promise<T> => {
    resting.abort()
    users++
    try {
      held ??= open()
      return await run(held)
    } finally {
      users--
      if (users === 0) void rest()
    }
  }

  return {
    read: (statement, parameters) => use((sql) => sql.read(statement, parameters)),
    long: (statement, parameters) => use((sql) => sql.long(statement, parameters)),
    write: (statement, parameters) => use((sql) => sql.write(statement, parameters)),
    close: async () => {
      resting.abort()
      await release()
    },
  }
}
