import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { cleanEnvironment } from '../support/edgetcd.ts'
import { projectRoot, temporaryDir } from '../support/paths.ts'
import { freePort } from '../support/ports.ts'
import { startProcess, waitUntilReady } from '../support/process.ts'

/** No statement is run in these tests. */
const DATABASE_URL = 'postgres://nobody@127.0.0.1:1/none'
/** What is served here instead of the Worker: to bundle that takes seconds. */
const WORKER = `export class Coordinator {}
export default { fetch: () => new Response('here') }
`
const script = join(projectRoot, 'scripts/dev-worker.mjs')
let dir: string
let bundle: string
let env: NodeJS.ProcessEnv
beforeAll(() => {
  dir = temporaryDir('dev-worker')
  bundle = join(dir, 'bundle')
  mkdirSync(bundle)
  writeFileSync(join(bundle, 'worker.js'), WORKER)
  env = { ...cleanEnvironment(), DATABASE_URL, TMPDIR: dir }
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const left = () => readdirSync(dir).filter((name) => name.startsWith('edgetcd-'))

it.each([
  [['--bogus'], "Unknown option '--bogus'; --help lists the options"],
  [['--port', 'abc'], '--port must be a number from 0 to 65535'],
  [['--driver', 'odbc'], '--driver must be hyperdrive or neon'],
  [['--bundle', '/none'], '--bundle: there is no worker.js in /none'],
])('npm run dev:worker says in a line why it does not serve: %j', (words, line) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...words], {
    env,
    encoding: 'utf8',
  })
  expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: `dev:worker: ${line}\n` })
})

it('lists its options', () => {
  const { status, stdout } = spawnSync(process.execPath, [script, '--help'], { env, encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout).toContain('--coordinator')
})

it('tells of a port that is taken, and says that it listens when it does; told to end, it leaves nothing', async () => {
  const words = [script, '--no-migrate', '--bundle', bundle, '--port']
  const port = await freePort()
  const other = createServer().listen(port, '127.0.0.1')
  const taken = startProcess(process.execPath, [...words, String(port)], { env })
  expect(await taken.exited).toBe(2)
  expect(taken.output()).toContain(`dev:worker: can't listen on http://127.0.0.1:${port}: `)
  other.close()
  const child = startProcess(process.execPath, [...words, '0'], { env })
  onTestFinished(() => child.stop())
  const url = () =>
    / listens on (\S+), through Hyperdrive, without the Durable Object\n/.exec(child.output())?.[1]
  await waitUntilReady('dev:worker', child, async () => url() !== undefined)
  expect(await (await fetch(`${url()}/`)).text()).toBe('here')
  expect(left()).toHaveLength(1)
  child.signal('SIGTERM')
  expect(await child.exited).toBe(0)
  expect(left()).toEqual([])
})

it('leaves nothing when it is told to end while it bundles', async () => {
  const child = startProcess(process.execPath, [script, '--no-migrate', '--port', '0'], { env })
  onTestFinished(() => child.stop())
  await waitUntilReady('dev:worker', child, async () => left().length === 1)
  child.signal('SIGTERM')
  expect(await child.exited).toBe(0)
  expect(left()).toEqual([])
})
