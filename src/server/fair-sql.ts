import { Slots } from '../slots.ts'
import { CONNECT_TIMEOUT_MS, NOT_PREPARED } from '../store/postgres/pipeline.ts'
import { type Sql, SqlError } from '../store/sql.ts'

/** What a store alone would have at the most: its batch, and lease calls beside it. */
const WRITES_MAX = 4
/** Half of the connections for what takes long. */
const LONG_MAX = 2

/** A table is somebody's alone, since it is being defragmented, dropped or restored; and what was sent right behind such a read. */
const LOCKED: ReadonlySet<string | undefined> = new Set(['55P03', NOT_PREPARED])

/**
 * One store's use of connections that several share, so that it can't take them all: what it asks for beyond its part waits
 * for the rest of its own. While one of its tables is locked, its short reads aren't asked in front of those of the others, but
 * where writes are.
 */
export function fairly(sql: Sql): Sql {
  const writes = new Slots(WRITES_MAX)
  const long = new Slots(LONG_MAX)
  let locked = false
  const write: Sql['write'] = (statement, parameters) =>
    writes.runWithin(CONNECT_TIMEOUT_MS, undefined, () => sql.write(statement, parameters), atWork)
  return {
    read: async (statement, parameters) => {
      if (!locked) {
        try {
          return await sql.read(statement, parameters)
        } catch (error) {
          if (!(error instanceof SqlError) || !LOCKED.has(error.sqlstate)) throw error
          locked = true
        }
      }
      const rows = await write(statement, parameters)
      locked = false
      return rows
    },
    long: (statement, parameters) => long.run(undefined, () => sql.long(statement, parameters)),
    write,
    close: () => sql.close(),
  }
}

function atWork(cause: unknown): SqlError {
  return new SqlError('unreachable', "all of the store's connections are at work", { cause })
}
