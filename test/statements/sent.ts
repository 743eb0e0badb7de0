import type { Postgres } from '../support/postgres.ts'
import { logDuring } from '../support/postgres-log.ts'

/**
 * The statements that the servers send while `work` is done. What a compaction leaves behind is swept off the request
 * path, and and the size is looked at now and then; what begins a new connection travels with its first statement. None of it counts.
 */
export async function statementsOf(postgres: Postgres, work: () => Promise<unknown>): Promise<string[]> {
  const entries = await logDuring(postgres, work)
  return entries.filter((entry) =>
    /^edgetcd=LOG: {2}(execute (?!sweep|quota)|statement: (?!select set_config|set client_connection))/.test(
      entry,
    ),
  )
}
