import { it } from 'vitest'
import { checkIncrements } from '../support/counter.ts'
import { POSTGRES_VERSIONS, postgresMissing, startPostgres } from '../support/postgres.ts'

const DURATION_MS = 10_000

for (const version of POSTGRES_VERSIONS) {
  it.skipIf(postgresMissing(version))(
    `invariants 1, 3 and 7: clients increment one key through two servers on PostgreSQL ${version}`,
    async () => {
      await using postgres = await startPostgres(version)
      const store = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
      const increments = await checkIncrements(store, DURATION_MS)
      console.log(`PostgreSQL ${version}: ${increments} increments in ${DURATION_MS / 1000} s`)
    },
  )
}
