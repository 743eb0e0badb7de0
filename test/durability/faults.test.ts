import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/postgres.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { chosenSeed, SeededRandom } from '../support/random.ts'
import { follow, prefixRange, watch } from '../support/watching.ts'
import { checkHistory } from './history.ts'
import { LOAD_PREFIX, type Load, startLoad } from './load.ts'

const seed = chosenSeed()

type Fault = (postgres: Postgres, proxies: readonly TcpProxy[], random: SeededRandom) => Promise<void>

/** What can happen between a server and its database. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'connections of one server are reset': async (_, proxies, random) => {
    random.pick(proxies).reset()
  },
  'connections of both servers are reset': async (_, proxies) => {
    for (const proxy of proxies) proxy.reset()
  },
  'one server hears nothing for a while': async (_, proxies, random) => {
    const proxy = random.pick(proxies)
    proxy.silence()
    await sleep(2000)
    proxy.resume()
  },
  'connections of one server are half open': async (_, proxies, random) => {
    random.pick(proxies).halfOpen()
  },
  'PostgreSQL is restarted': async (postgres) => {
    await postgres.stop('fast')
    await sleep(500)
    await postgres.start()
  },
  'PostgreSQL crashes': async (postgres) => {
    await postgres.stop('immediate')
    await postgres.start()
  },
}

/** Waits until each server has acknowledged more: the fault is over, and the servers have noticed. */
async function recovered(loads: readonly Load[], fault: string): Promise<void> {
  const goals = loads.map((load) => load.acknowledged + 100)
  const deadline = Date.now() + 60_000
  while (loads.some((load, index) => load.acknowledged < (goals[index] ?? 0))) {
    if (Date.now() > deadline) throw new Error(`no recovery after: ${fault}`)
    await sleep(20)
  }
}

it.skipIf(postgresMissing(18))(
  `invariants 1, 7 and 10: two servers lose their connections and PostgreSQL restarts, under load (seed ${seed})`,
  { timeout: 300_000 },
  async () => {
    const random = new SeededRandom(seed)
    await using postgres = await startPostgres(18, { durable: true })
    await using first = await startProxy(postgres.port)
    await using second = await startProxy(postgres.port)
    const proxies = [first, second]
    const schema = postgres.freshSchema()
    const start = (proxy: TcpProxy) =>
      startEdgetcd({ databaseUrl: postgres.url.replace(String(postgres.port), String(proxy.port)), schema })
    await using serverA = await start(first)
    await using serverB = await start(second)
    const gateways = [serverA.gateway, serverB.gateway]
    const loads = gateways.map((gateway, index) => startLoad(gateway, `server${index}-`, 6, random))
    const followers = gateways.map((gateway) => follow(gateway, LOAD_PREFIX, 2))

    for (const [fault, happen] of Object.entries(FAULTS)) {
      await recovered(loads, 'the start')
      await happen(postgres, proxies, random)
      await recovered(loads, fault)
    }
    await sleep(8000) // longer than a request may wait, so that what hung on a dead connection is answered
    for (const load of loads) await load.stop()
    const operations = loads.flatMap((load) => load.operations)
    const last = Math.max(
      ...operations.map((operation) => ('revision' in operation ? operation.revision : 0)),
    )
    for (const follower of followers) await follower.reached(last)

    const whole = await watch(serverA.gateway, { ...prefixRange(LOAD_PREFIX), start_revision: '1' })
    await whole.reached(last)
    whole.close()
    for (const follower of followers) await follower.stop()
    expect(loads.flatMap((load) => load.badAnswers)).toEqual([])
    expect(checkHistory(whole.events, operations, 2)).toEqual([])
    for (const follower of followers) {
      expect(follower.events, 'a watch resumes without loss').toEqual(
        whole.events.slice(0, follower.events.length),
      )
    }
    const count = (kind: string) => operations.filter((operation) => operation.kind === kind).length
    console.log(
      `${last} revisions: ${count('write')} writes and ${count('read')} reads acknowledged, ` +
        `${count('unknown')} unknown, ${count('refused')} refused; ` +
        `watches resumed ${followers.map((follower) => follower.resumed).join(' and ')} times`,
    )
  },
)
