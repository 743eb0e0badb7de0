import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { Gateway } from '../support/gateway.ts'
import { temporaryDir } from '../support/paths.ts'
import { freePort } from '../support/ports.ts'
import { chosenSeed, SeededRandom } from '../support/random.ts'
import { follow, prefixRange, watch } from '../support/watching.ts'
import { checkHistory } from './history.ts'
import { LOAD_PREFIX, startLoad } from './load.ts'

const KILLS = 10
const seed = chosenSeed()

/** Kills the server only: its PostgreSQL has to notice. */
function killServer(server: Edgetcd): void {
  server.child.signal('SIGKILL')
}

/** Kills everything at once, as when the machine's memory runs out: the process group, and PostgreSQL if it left it. */
function killEverything(server: Edgetcd, dataDir: string): void {
  const postmasters = postmasterPids(dataDir)
  server.child.signal('SIGKILL', { group: true })
  for (const pid of postmasters) killIfThere(pid)
}

function postmasterPids(dir: string): number[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('postmaster.pid'))
    .map((path) => Number(readFileSync(join(dir, path), 'utf8').split('\n')[0]))
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

it(`invariants 1, 7 and 10: ${KILLS} times kill -9 under load on the embedded database (seed ${seed})`, {
  timeout: 300_000,
}, async () => {
  const random = new SeededRandom(seed)
  const dataDir = temporaryDir('kill')
  const port = await freePort()
  const gateway = new Gateway(`http://127.0.0.1:${port}`)
  const start = () => startEdgetcd({ dataDir, port, detached: true })
  let server = await start()
  const load = startLoad(gateway, 'c', 16, random)
  const follower = follow(gateway, LOAD_PREFIX, 2)
  const startTimesMs: number[] = []
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const before = load.acknowledged
      await sleep(random.between(300, 1200))
      await expect
        .poll(() => load.acknowledged, { message: 'the server works under load', timeout: 60_000 })
        .toBeGreaterThan(before)
      if (kill % 2 === 0) killServer(server)
      else killEverything(server, dataDir)
      await server.child.exited
      const killedAt = performance.now()
      server = await start()
      startTimesMs.push(Math.round(performance.now() - killedAt))
    }
    await sleep(500)
    await load.stop()
    const last = Math.max(
      ...load.operations.map((operation) => ('revision' in operation ? operation.revision : 0)),
    )
    await follower.reached(last)

    const whole = await watch(gateway, { ...prefixRange(LOAD_PREFIX), start_revision: '1' })
    await whole.reached(last)
    whole.close()
    expect(load.badAnswers).toEqual([])
    expect(checkHistory(whole.events, load.operations, 2)).toEqual([])
    expect(follower.events, 'what a watcher saw before a kill is still so').toEqual(
      whole.events.slice(0, follower.events.length),
    )
    console.log(`${last} revisions, ready again after ${startTimesMs.join(', ')} ms`)
  } finally {
    await load.stop()
    await follower.stop()
    gateway.close()
    await server[Symbol.asyncDispose]()
    rmSync(dataDir, { recursive: true, force: true })
  }
})
