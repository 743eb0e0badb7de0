/** One server a directory, whoever starts when. */
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Installation, install } from './installation.ts'
import { eventually, postgresProcesses, Server } from './server.ts'
import { makeTemplate, type Template } from './template.ts'

const CROWD = 5

let installation: Installation
let template: Template
let dataDir: string
let servers: Server[]

beforeAll(async () => {
  installation = await install(tmpdir(), 0o755)
  template = await makeTemplate(installation)
})
afterAll(() => {
  template.remove()
  installation.remove()
})
beforeEach(() => {
  dataDir = template.copy()
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.kill()
  await eventually('no PostgreSQL is left', () => postgresProcesses(dataDir).length === 0)
  rmSync(dataDir, { recursive: true, force: true })
})

function run(): Server {
  const server = new Server({ installation, dataDir })
  servers.push(server)
  return server
}

/** Starts several at the same instant; gives the one that started, and checks what the others said. */
async function crowd(): Promise<Server> {
  const starters = Array.from({ length: CROWD }, run)
  const outcomes = await Promise.all(starters.map((server) => server.next(['started', 'refused'])))
  const winners = starters.filter((_, i) => outcomes[i]?.event === 'started')
  expect(winners).toHaveLength(1)
  const [winner] = winners
  if (winner === undefined) throw new Error('nobody started')
  for (const { event, message } of outcomes)
    if (event === 'refused') expect(message).toContain(`(process ${winner.pid})`)
  return winner
}

test('a second server is told who has the directory and what to do, and the first serves on', async () => {
  const first = run()
  await first.started()
  await first.query('create table kept (n int)')
  expect(await run().refused()).toBe(
    `Another edgetcd (process ${first.pid}) serves ${dataDir}. Stop it first (kill ${first.pid}), or give this ` +
      'one a directory of its own with --data-dir. Nothing was changed.',
  )
  await first.query('insert into kept values (1)')
  await first.stop()
  const second = run()
  await second.started()
  expect(await second.query('select n from kept')).toEqual([[1]])
})

test('a stopped (SIGSTOP) server still has its directory', async () => {
  const first = run()
  await first.started()
  first.child.kill('SIGSTOP')
  expect(await run().refused()).toContain(`(process ${first.pid})`)
  first.child.kill('SIGCONT')
  expect(await first.query('select 1')).toEqual([[1]])
})

test('of several that start at once, one serves: on a new directory, and after a kill -9, three times', async () => {
  rmSync(join(dataDir, 'postgres'), { recursive: true })
  let winner = await crowd()
  await winner.query('create table kept (n int)')
  for (let round = 0; round < 3; round++) {
    await winner.query(`insert into kept values (${round})`)
    await winner.kill()
    winner = await crowd()
  }
  expect(await winner.query('select n from kept order by n')).toEqual([[0], [1], [2]])
})
