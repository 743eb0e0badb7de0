import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Gateway, JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { prefixRange, watch } from '../support/watching.ts'
import { chosenWays, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'

/** It lets go after five seconds; a busy machine may take longer. */
const LETS_GO_WITHIN_MS = 20_000

/** The backends that run for the Worker, whose role is named after its schema. */
async function backends(postgres: Postgres, schema: string): Promise<number[]> {
  const query = 'select pid from pg_stat_activity where usename = $1 order by 1'
  const { rows } = await postgres.query(query, [`${schema}_worker`])
  return rows.map((row: { pid: number }) => row.pid)
}

/** How many wait at the coordinator, by its own account. */
async function waiters({ url }: Gateway): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(/^edgetcd_coordinator_waiters (\d+)$/m.exec(metrics)?.[1])
}

async function until(what: string, happened: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + LETS_GO_WITHIN_MS
  while (!(await happened())) {
    if (Date.now() > deadline) throw new Error(`still not so: ${what}`)
    await sleep(50)
  }
}

/**
 * A client that waits, and goes away by resetting its connection when it is left: workerd alone doesn't notice one that
 * only ends it, for such a client might still read.
 */
function wait(gateway: Gateway, method: 'GET' | 'POST', path: string, body?: JsonObject): () => void {
  const sent = request(new URL(path, gateway.url), { method, agent: false }, (answer) => {
    answer.on('error', () => {}) // it is cut off, below
    answer.resume()
  })
  sent.on('error', () => {})
  sent.end(body && JSON.stringify(body))
  return () => sent.socket?.resetAndDestroy()
}

const coordinated = chosenWays(['hyperdrive+coordinator']).filter((way) => WORKER_WAYS[way].coordinator)

it.each(coordinated)('%s: the coordinator lets its connection go when nobody waits', async (way) => {
  await using postgres = await startPostgres(18)
  const schema = postgres.freshSchema()
  await using worker = await startWorkerd({ databaseUrl: postgres.url, schema, ...WORKER_WAYS[way] })
  const { gateway } = worker
  const range = prefixRange('k')

  const query = new URLSearchParams({ ...range, start_revision: '1000', wait: '60' })
  const leave = [
    wait(gateway, 'GET', `/v3/watch?${query}`),
    wait(gateway, 'POST', '/v3/watch', { create_request: range }),
  ]
  await until('both wait', async () => (await waiters(gateway)) === 2)
  const revision = await gateway.put('k', 'first')
  expect(await backends(postgres, schema), 'somebody waits').not.toEqual([])

  for (const go of leave) go()
  await until('nobody waits', async () => (await waiters(gateway)) === 0)
  await until('the database may sleep', async () => (await backends(postgres, schema)).length === 0)

  const next = await watch(gateway, { ...range, start_revision: String(revision) })
  const after = await gateway.put('k', 'after')
  await next.reached(after)
  expect(next.events.map(({ value }) => value)).toEqual(['first', 'after'])
  expect(await backends(postgres, schema), 'it has one again').not.toEqual([])
  next.close()
})
