import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { prefixRange, watch } from '../support/watching.ts'
import { chosenWays, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'

/** It lets go after five seconds; a busy machine may take longer. */
const LETS_GO_WITHIN_MS = 20_000

/** How many backends run for the Worker, whose role is named after its schema. */
async function backends(postgres: Postgres, schema: string): Promise<number> {
  const query = 'select from pg_stat_activity where usename = $1'
  return (await postgres.query(query, [`${schema}_worker`])).rowCount ?? 0
}

async function untilAsleep(postgres: Postgres, schema: string): Promise<void> {
  const deadline = Date.now() + LETS_GO_WITHIN_MS
  while ((await backends(postgres, schema)) > 0) {
    if (Date.now() > deadline) throw new Error('there still is a connection')
    await sleep(50)
  }
}

const coordinated = chosenWays(['hyperdrive+coordinator']).filter((way) => WORKER_WAYS[way].coordinator)

/** What /metrics says of the coordinator, by names without their beginning. */
async function metrics(url: string): Promise<Record<string, number>> {
  const page = await (await fetch(`${url}/metrics`)).text()
  const lines = page.matchAll(/^edgetcd_coordinator_(\w+) (\S+)$/gm)
  return Object.fromEntries([...lines].map(([, name, value]) => [name, Number(value)]))
}

it.each(coordinated)(
  '%s: the coordinator lets its connection go when nobody waits, and tells what it does',
  async (way) => {
    await using postgres = await startPostgres(18)
    const schema = postgres.freshSchema()
    await using worker = await startWorkerd({ databaseUrl: postgres.url, schema, ...WORKER_WAYS[way] })
    const { gateway } = worker
    const range = prefixRange('k')

    const stream = await watch(gateway, range)
    const leaving = new AbortController()
    const query = new URLSearchParams({ ...range, start_revision: '1000', wait: '60' })
    const poll = fetch(`${gateway.url}/v3/watch?${query}`, { signal: leaving.signal }).catch(() => 'left')
    const revision = await gateway.put('k', 'first')
    await stream.reached(revision)
    expect(await backends(postgres, schema), 'somebody waits').toBeGreaterThan(0)
    const { waiters, ...rest } = await metrics(gateway.url)
    expect(waiters).toBeGreaterThan(0)
    expect(rest).toEqual({ in_use: 1, up: 1, batches_total: 1, batched_requests_total: 1, pending_writes: 0 })

    stream.close()
    leaving.abort()
    expect(await poll).toBe('left')
    await untilAsleep(postgres, schema)
    expect((await metrics(gateway.url)).waiters).toBe(0)

    const next = await watch(gateway, { ...range, start_revision: String(revision) })
    const after = await gateway.put('k', 'after')
    await next.reached(after)
    expect(next.events.map(({ value }) => value)).toEqual(['first', 'after'])
    expect(await backends(postgres, schema), 'it has one again').toBeGreaterThan(0)
    next.close()
  },
)
