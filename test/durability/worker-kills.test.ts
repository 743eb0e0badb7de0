import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/postgres.ts'
import { prepareWorker } from '../support/prepared-worker.ts'
import { chosenSeed, SeededRandom } from '../support/random.ts'
import { type Follower, follow, followByPolls, prefixRange, watch } from '../support/watching.ts'
import { chosenWays, type WayName, WORKER_WAYS } from '../support/worker-ways.ts'
import { checkHistory } from './history.ts'
import { LOAD_PREFIX, type Load, startLoad } from './load.ts'

const KILLS = 5
const CLIENTS = 8
const ABORTS = 5
const seed = chosenSeed()

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres(18, { durable: true })
})
afterAll(() => postgres[Symbol.asyncDispose]())

const prepare = (way: WayName) =>
  prepareWorker({ databaseUrl: postgres.url, schema: postgres.freshSchema(), ...WORKER_WAYS[way] })

/** Two watchers by streams and two by long polls, all from the start. */
const followAll = (gateway: Gateway) => [
  ...[1, 2].map(() => follow(gateway, LOAD_PREFIX, 2)),
  ...[1, 2].map(() => followByPolls(gateway, LOAD_PREFIX, 2)),
]

/** Waits until each load has had `more` answers: whatever happened to its server is over. */
async function goesOn(loads: readonly Load[], more: number): Promise<void> {
  const goals = loads.map((load) => load.acknowledged + more)
  const deadline = Date.now() + 60_000
  while (loads.some((load, index) => load.acknowledged < (goals[index] ?? 0))) {
    if (Date.now() > deadline) throw new Error('no more answers')
    await sleep(10)
  }
}

/**
 * Ends the load, and checks what it saw against the store's own history, which every watcher must have seen: each
 * revision once and in order. Gives how many writes were acknowledged, how many were not, and how many of these happened.
 */
async function settle(
  gateway: Gateway,
  loads: readonly Load[],
  followers: readonly Follower[],
): Promise<{ acknowledged: number; unknown: number; happened: number }> {
  for (const load of loads) await load.stop()
  const operations = loads.flatMap((load) => load.operations)
  const last = Math.max(...operations.map((operation) => ('revision' in operation ? operation.revision : 0)))
  const whole = await watch(gateway, { ...prefixRange(LOAD_PREFIX), start_revision: '1' })
  await whole.reached(last)
  whole.close()
  const upTo = whole.events.filter((event) => event.revision <= last)
  for (const follower of followers) {
    await follower.reached(last)
    const seen = follower.events.filter((event) => event.revision <= last)
    expect(seen, 'each event once and in order').toEqual(upTo)
  }
  expect(loads.flatMap((load) => load.badAnswers)).toEqual([])
  expect(checkHistory(whole.events, operations, 2)).toEqual([])
  const there = new Set(whole.events.map((event) => event.value))
  const unknown = operations.flatMap((operation) => (operation.kind === 'unknown' ? [operation] : []))
  return {
    acknowledged: operations.filter((operation) => operation.kind === 'write').length,
    unknown: unknown.length,
    happened: unknown.filter((operation) => there.has(operation.value)).length,
  }
}

describe.skipIf(postgresMissing(18)).each(chosenWays(['hyperdrive', 'neon+coordinator']))('%s', (way) => {
  it(`invariants 1, 7 and 10: workerd is killed ${KILLS} times under load (seed ${seed})`, async () => {
    const random = new SeededRandom(seed)
    await using prepared = await prepare(way)
    const port = await freePort()
    const gateway = new Gateway(`http://127.0.0.1:${port}`)
    let worker = await prepared.start(port)
    const load = startLoad(gateway, 'c', CLIENTS, random)
    const followers = followAll(gateway)
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await goesOn([load], 2 * CLIENTS)
        await sleep(random.between(0, 500))
        await worker.kill()
        worker = await prepared.start(port)
      }
      await goesOn([load], 2 * CLIENTS)
      const { acknowledged, unknown, happened } = await settle(gateway, [load], followers)
      expect(Math.min(...followers.map((follower) => follower.resumed))).toBeGreaterThanOrEqual(KILLS)
      console.log(
        `${way}: ${acknowledged} writes acknowledged, ${unknown} unknown, ${happened} of them happened`,
      )
    } finally {
      await load.stop()
      for (const follower of followers) await follower.stop()
      gateway.close()
      await worker.kill()
    }
  })
})

const coordinated = chosenWays(['neon+coordinator']).filter((way) => WORKER_WAYS[way].coordinator)

describe.skipIf(postgresMissing(18)).each(coordinated)('%s', (way) => {
  it(`invariants 1, 7 and 10: the coordinator is lost ${ABORTS} times with writes in flight (seed ${seed})`, async () => {
    const random = new SeededRandom(seed)
    await using prepared = await prepare(way)
    await using worker = await prepared.start()
    // Commits that take long, so that there are writes in flight whenever it is lost.
    await setCommitDelay(50_000)
    const load = startLoad(worker.gateway, 'c', CLIENTS, random)
    const followers = followAll(worker.gateway)
    try {
      for (let abort = 0; abort < ABORTS; abort++) {
        await goesOn([load], 2 * CLIENTS)
        await sleep(random.between(0, 100))
        await abortCoordinator(worker.gateway)
      }
      await goesOn([load], 2 * CLIENTS)
      const { acknowledged, unknown, happened } = await settle(worker.gateway, [load], followers)
      expect(load.unanswered, 'the fronts live on').toBe(0)
      expect(unknown, 'writes were in flight').toBeGreaterThan(0)
      console.log(
        `${way}: ${acknowledged} writes acknowledged, ${unknown} unknown, ${happened} of them happened`,
      )
    } finally {
      await load.stop()
      for (const follower of followers) await follower.stop()
      await setCommitDelay(0)
    }
  })

  it(`invariants 1, 6 and 7: two coordinators at once on one database (seed ${seed})`, async () => {
    const random = new SeededRandom(seed)
    await using prepared = await prepare(way)
    await using first = await prepared.start()
    await using second = await prepared.start()
    const gateways = [first.gateway, second.gateway]
    const loads = gateways.map((gateway, index) => startLoad(gateway, `worker${index}-`, CLIENTS, random))
    const followers = gateways.flatMap(followAll)
    try {
      await sleep(3000)
      await goesOn(loads, 2 * CLIENTS)
      const { acknowledged, unknown } = await settle(first.gateway, loads, followers)
      expect(unknown, 'nothing was lost').toBe(0)
      console.log(`${way}: ${acknowledged} writes acknowledged`)
    } finally {
      for (const load of loads) await load.stop()
      for (const follower of followers) await follower.stop()
    }
  })
})

/** How long each commit waits for others, in microseconds. */
async function setCommitDelay(microseconds: number): Promise<void> {
  await postgres.query(`alter system set commit_delay = ${microseconds}`)
  await postgres.query('alter system set commit_siblings = 0')
  await postgres.query('select pg_reload_conf()')
}

async function abortCoordinator(gateway: Gateway): Promise<void> {
  const { status } = await fetch(new URL('/cdn-cgi/local/abort-coordinator', gateway.url), { method: 'POST' })
  expect(status, 'the object was told to end').toBe(200)
}
