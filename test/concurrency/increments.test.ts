import { expect, it } from 'vitest'
import { COUNTER, incrementUntil, upTo } from '../support/counter.ts'
import { startEdgetcd } from '../support/edgetcd.ts'
import { b64, Gateway, text } from '../support/gateway.ts'
import { POSTGRES_VERSIONS, postgresMissing, startPostgres } from '../support/postgres.ts'
import { watch } from '../support/watching.ts'

const CLIENTS = 64
const DURATION_MS = 10_000

for (const version of POSTGRES_VERSIONS) {
  it.skipIf(postgresMissing(version))(
    `invariants 1, 3 and 7: ${CLIENTS} clients increment one key through two servers on PostgreSQL ${version}`,
    async () => {
      await using postgres = await startPostgres(version)
      const schema = postgres.freshSchema()
      const start = () => startEdgetcd({ databaseUrl: postgres.url, schema })
      // Both at once: each migrates the empty database, and neither may trip over the other.
      const servers = await Promise.all([start(), start()])
      await using _first = servers[0]
      await using _second = servers[1]
      const watchers = await Promise.all(
        servers.map((server) => watch(server.gateway, { key: b64(COUNTER) })),
      )

      await servers[0].gateway.put(COUNTER, '0')
      const deadline = Date.now() + DURATION_MS
      const clients = upTo(CLIENTS, 0).map((i) => new Gateway((servers[i % 2] ?? servers[0]).url))
      const perClient = await Promise.all(clients.map((client) => incrementUntil(deadline, client)))
      for (const client of clients) client.close()

      const revisions = perClient.flat().sort((a, b) => a - b)
      const last = revisions.at(-1) ?? 0
      expect(revisions.length, 'increments in ten seconds').toBeGreaterThan(100)
      expect(revisions, 'every increment has a revision of its own, none is skipped').toEqual(
        upTo(revisions.length, 3),
      )
      const counter = await servers[1].gateway.get(COUNTER)
      expect(text(counter?.value ?? ''), 'no increment is lost').toBe(String(revisions.length))

      for (const watcher of watchers) {
        await watcher.reached(last)
        expect(watcher.events.map((event) => event.revision)).toEqual(upTo(revisions.length + 1, 2))
        expect(watcher.events.map((event) => event.value)).toEqual(upTo(revisions.length + 1, 0).map(String))
        watcher.close()
      }
      console.log(`PostgreSQL ${version}: ${revisions.length} increments in ${DURATION_MS / 1000} s`)
    },
  )
}
