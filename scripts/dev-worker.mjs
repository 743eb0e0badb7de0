// Serves the Worker in workerd, on a PostgreSQL: `npm run dev:worker -- --help`. What runs is the bundle that `wrangler
// deploy` would upload, with wrangler.toml's settings, in workerd alone: `wrangler dev` puts proxies before it that clean
// paths and compress answers.
//
// Clients reach it through a relay that tells it when they go away, as Cloudflare's proxies do (scripts/relay.mjs).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, HELP, readOptions } from './dev-worker-options.mjs'
import { startRelay } from './relay.mjs'
import { workerdConfig } from './workerd-config.mjs'

/** How long what is told to end may take: workerd would wait for every open stream. */
const END_MS = 2000

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stopped.abort())
process.exit(await main())

/** Gives the exit code. Whatever was started has ended by then, and nothing of it is left. */
async function main() {
  let temporary
  try {
    const options = readOptions(process.argv.slice(2), process.env)
    if (options.help) {
      console.log(HELP)
      return 0
    }
    if (options.migrate) await migrate()
    if (options.outdir === undefined) temporary = mkdtempSync(join(tmpdir(), 'edgetcd-worker-'))
    await serve(options, temporary)
    return 0
  } catch (error) {
    if (stopped.signal.aborted) return 0
    console.error(error instanceof Failure ? `dev:worker: ${error.message}` : error)
    return 2
  } finally {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true })
  }
}

async function migrate() {
  await import('./build.mjs')
  await run("the database wasn't migrated; under the Worker's role use --no-migrate", process.execPath, [
    'dist/cli.js',
    'migrate',
  ])
}

/** Serves from a temporary directory, or without one leaves in `outdir` what would be served from. */
async function serve(options, temporary) {
  const dir = temporary ?? options.outdir
  if (options.bundle === undefined) await bundle(dir)
  else cpSync(options.bundle, dir, { recursive: true })
  copyFileSync('scripts/dev-worker-entry.mjs', join(dir, 'entry.js'))
  const texts = readdirSync(dir).filter((name) => name.endsWith('.sql'))
  const socket = join(dir, 'worker.sock')
  const address = temporary === undefined ? `127.0.0.1:${options.port}` : `unix:${socket}`
  const config = join(dir, 'config.capnp')
  writeFileSync(config, await workerdConfig(options, address, texts))
  if (temporary !== undefined) await serveFrom(config, socket, options)
}

async function bundle(dir) {
  process.env.WRANGLER_SEND_METRICS = 'false'
  // wrangler needs a newer Node than edgetcd does; one is among the packages.
  await run("wrangler didn't bundle the Worker", 'node_modules/.bin/node', [
    'node_modules/wrangler/bin/wrangler.js',
    'deploy',
    '--dry-run',
    '--outdir',
    dir,
  ])
}

async function serveFrom(config, socket, { port, way }) {
  const relay = startRelay(port, socket)
  await once(relay, 'listening').catch((error) => {
    throw new Failure(`can't listen on http://127.0.0.1:${port}: ${error.message}`)
  })
  const words = ['serve', '--experimental', '--control-fd=3', config]
  await run('workerd ended', 'node_modules/.bin/workerd', words, (listens) => {
    listens.once('data', () =>
      console.log(`edgetcd's Worker listens on http://127.0.0.1:${relay.address().port}, ${way}`),
    )
  })
}

/**
 * Runs a program to its end, which a signal to this process brings about. Fails with `failure` when it fails. `onControl` is given what
 * the program writes to its file descriptor 3; where it is missing, the program's output is left out.
 */
async function run(failure, command, words, onControl) {
  stopped.signal.throwIfAborted()
  const stdio = onControl ? ['ignore', 'inherit', 'inherit', 'pipe'] : ['ignore', 'ignore', 'inherit']
  const child = spawn(command, words, { stdio })
  stopped.signal.addEventListener('abort', () => {
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), END_MS)
  })
  process.on('exit', () => child.kill('SIGKILL'))
  onControl?.(child.stdio[3])
  const [code] = await once(child, 'exit')
  stopped.signal.throwIfAborted()
  if (code !== 0) throw new Failure(failure)
}
