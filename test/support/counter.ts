import { expect } from 'vitest'
import { type Edgetcd, startEdgetcd } from './edgetcd.ts'
import { b64, Gateway, type TxnAnswer, text } from './gateway.ts'
import { watch } from './watching.ts'

/** The key that clients count in. */
export const COUNTER = 'counter'

interface Register {
  readonly value: number
  readonly modRevision: string
}

/** Adds one to the counter if nobody else did meanwhile: the revision of the write, or what the counter is now. */
async function increment(gateway: Gateway, seen: Register): Promise<{ revision: number } | Register> {
  const txn = await gateway.ok<TxnAnswer>('/v3/kv/txn', {
    compare: [{ key: b64(COUNTER), target: 'MOD', mod_revision: seen.modRevision }],
    success: [{ request_put: { key: b64(COUNTER), value: b64(String(seen.value + 1)) } }],
    failure: [{ request_range: { key: b64(COUNTER) } }],
  })
  if (txn.succeeded) return { revision: Number(txn.header.revision) }
  const kv = txn.responses?.[0]?.response_range?.kvs?.[0]
  if (!kv) throw new Error('the counter is gone')
  return { value: Number(text(kv.value ?? '')), modRevision: kv.mod_revision }
}

/** One client: increments until the time is over. Gives the revisions of its increments. */
export async function incrementUntil(deadline: number, gateway: Gateway): Promise<number[]> {
  const revisions: number[] = []
  let seen: Register = { value: 0, modRevision: '0' }
  while (Date.now() < deadline) {
    const outcome = await increment(gateway, seen)
    if ('revision' in outcome) {
      revisions.push(outcome.revision)
      seen = { value: seen.value + 1, modRevision: String(outcome.revision) }
    } else seen = outcome
  }
  return revisions
}

/** As many numbers in a row, from the first one on. */
export const upTo = (count: number, first: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i)

const CLIENTS = 64

/**
 * Lets 64 clients increment the counter of a new store for `durationMs` through two servers that start at once, and checks
 * invariants 1, 3 and 7: each increment has a revision of its own, none is lost, and a watcher at each server sees all of
 * them in order. Gives how many there were.
 */
export async function checkIncrements(
  store: { readonly databaseUrl: string; readonly schema: string },
  durationMs: number,
): Promise<number> {
  // Both at once: each migrates the empty database, and neither may trip over the other.
  const servers = await Promise.all([startEdgetcd(store), startEdgetcd(store)])
  await using _first = servers[0]
  await using _second = servers[1]
  const watchers = await Promise.all(servers.map(({ gateway }) => watch(gateway, { key: b64(COUNTER) })))
  const revisions = (await incrementThrough(servers, durationMs)).toSorted((a, b) => a - b)
  expect(revisions.length).toBeGreaterThan(1)
  expect(revisions, 'every increment has a revision of its own, none is skipped').toEqual(
    upTo(revisions.length, 3),
  )
  const counter = await servers[1].gateway.get(COUNTER)
  expect(text(counter?.value ?? ''), 'no increment is lost').toBe(String(revisions.length))
  for (const watcher of watchers) {
    await watcher.reached(revisions.at(-1) ?? 0)
    expect(watcher.events.map(({ revision }) => revision)).toEqual(upTo(revisions.length + 1, 2))
    expect(watcher.events.map(({ value }) => value)).toEqual(upTo(revisions.length + 1, 0).map(String))
    watcher.close()
  }
  return revisions.length
}

async function incrementThrough(servers: readonly [Edgetcd, Edgetcd], durationMs: number): Promise<number[]> {
  await servers[0].gateway.put(COUNTER, '0')
  const deadline = Date.now() + durationMs
  const clients = upTo(CLIENTS, 0).map((i) => new Gateway((servers[i % 2] ?? servers[0]).url))
  const perClient = await Promise.all(clients.map((client) => incrementUntil(deadline, client)))
  for (const client of clients) client.close()
  return perClient.flat()
}
