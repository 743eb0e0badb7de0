// Serves the Worker in workerd, on the PostgreSQL of DATABASE_URL through a local Hyperdrive binding:
//
//   DATABASE_URL=postgres://… npm run dev:worker -- --port 8787
//
// Migrates that database first, since a Worker never does; `--no-migrate` leaves it out, for the role of docs/workers.md may
// not. What runs is the bundle that `wrangler deploy` would upload, with wrangler.toml's settings, in workerd alone:
// `wrangler dev` puts proxies before it that clean paths and compress answers. ETCD_* variables and
// SUBREQUESTS_MAX override the settings.
//
// Clients reach it through a relay that tells it when they go away, as Cloudflare's proxies do (scripts/relay.mjs).
//
// `--driver neon` takes Neon's driver instead of a Hyperdrive, to the proxy at NEON_PROXY that speaks Neon's protocol.
// `--coordinator` adds the Durable Object where requests meet.
// `--bundle DIR` takes the bundle that `wrangler deploy --dry-run --outdir DIR` left there.
// `--outdir DIR` leaves all of it there and starts nothing: then `workerd serve --experimental DIR/config.capnp` does, as
// often as it is wanted.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startRelay } from './relay.mjs'

const text = JSON.stringify
/** Its storage is none: it keeps nothing. */
const COORDINATOR = `,
  durableObjectNamespaces = [(className = "Coordinator", uniqueKey = "coordinator", enableSql = true)],
  durableObjectStorage = (inMemory = void)`

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

function fail(message, code = 2) {
  console.error(`dev:worker: ${message}`)
  process.exit(code)
}

function run(command, ...words) {
  const { status } = spawnSync(command, words, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
}

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8787' },
    driver: { type: 'string', default: 'hyperdrive' },
    coordinator: { type: 'boolean', default: false },
    bundle: { type: 'string' },
    outdir: { type: 'string' },
    'no-migrate': { type: 'boolean' },
  },
})
const database = URL.canParse(process.env.DATABASE_URL ?? '') ? new URL(process.env.DATABASE_URL) : undefined
if (database === undefined) fail('DATABASE_URL must name the PostgreSQL to serve from: postgres://…')
const { driver } = values
if (!['hyperdrive', 'neon'].includes(driver)) fail('--driver must be hyperdrive or neon')
if (driver === 'neon' && !URL.canParse(process.env.NEON_PROXY ?? '')) {
  fail(
    "NEON_PROXY must name a proxy that speaks Neon's protocol: http://…; use npx wrangler dev for Neon itself",
  )
}
if (
  driver === 'hyperdrive' &&
  !['disable', 'allow', 'prefer', null].includes(database.searchParams.get('sslmode'))
) {
  fail('a Hyperdrive of workerd alone speaks no TLS to the database; use npx wrangler dev for that')
}

if (!values['no-migrate']) {
  await import('./build.mjs')
  run(process.execPath, 'dist/cli.js', 'migrate')
}

const dir = values.outdir ?? mkdtempSync(join(tmpdir(), 'edgetcd-worker-'))
if (values.outdir === undefined) process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
const socket = join(dir, 'worker.sock')
process.env.WRANGLER_SEND_METRICS = 'false'
if (values.bundle === undefined) {
  // wrangler needs a newer Node than edgetcd does; one is among the packages.
  run(
    'node_modules/.bin/node',
    'node_modules/wrangler/bin/wrangler.js',
    'deploy',
    '--dry-run',
    '--outdir',
    dir,
  )
} else cpSync(values.bundle, dir, { recursive: true })
copyFileSync('scripts/dev-worker-entry.mjs', join(dir, 'entry.js'))
writeFileSync(join(dir, 'config.capnp'), await workerdConfig())
if (values.outdir !== undefined) process.exit()

const workerd = spawn('node_modules/.bin/workerd', ['serve', '--experimental', join(dir, 'config.capnp')], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    workerd.kill('SIGTERM')
    // It would wait for every open stream.
    setTimeout(() => workerd.kill('SIGKILL'), 2000)
  })
}
process.on('exit', () => workerd.kill('SIGKILL'))
workerd.on('error', (error) => fail(error.message, 1))
workerd.on('exit', (code) => process.exit(code ?? 0))
startRelay(Number(values.port), socket)
  .on('error', (error) => fail(error.message, 1))
  .on('listening', () => console.log(`edgetcd's Worker listens on http://127.0.0.1:${values.port}`))

/** workerd's configuration: the modules of the bundle, and the bindings of wrangler.toml. */
async function workerdConfig() {
  const { unstable_readConfig } = await import('wrangler')
  const { compatibility_date, compatibility_flags, vars } = unstable_readConfig({ config: 'wrangler.toml' })
  const own = Object.entries(process.env).filter(([name]) => /^(ETCD_|SUBREQUESTS_MAX$)/.test(name))
  const settings = { ...vars, ...Object.fromEntries(own) }
  if (driver === 'neon') {
    settings.DATABASE_URL = database.href
    settings.NEON_PROXY = process.env.NEON_PROXY
  }
  const bindings = Object.entries(settings).map(
    ([name, value]) => `(name = ${text(name)}, text = ${text(String(value))})`,
  )
  if (driver === 'hyperdrive') bindings.push(hyperdriveBinding())
  if (values.coordinator) bindings.push('(name = "COORDINATOR", durableObjectNamespace = "Coordinator")')
  const address = values.outdir === undefined ? `unix:${socket}` : `127.0.0.1:${values.port}`
  const texts = readdirSync(dir).filter((name) => name.endsWith('.sql'))
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "internet", network = (allow = ["public", "private", "local"])),
    (name = "database", external = (address = ${text(`${database.hostname}:${database.port || 5432}`)}, tcp = ()))
  ],
  sockets = [(name = "http", address = ${text(address)}, http = (), service = "worker")]
);
const worker :Workerd.Worker = (
  modules = [
    (name = "entry.js", esModule = embed "entry.js"),
    (name = "worker.js", esModule = embed "worker.js"),
    ${texts.map((name) => `(name = ${text(`./${name}`)}, text = embed ${text(name)})`).join(',\n    ')}
  ],
  compatibilityDate = ${text(compatibility_date)},
  compatibilityFlags = ${text(compatibility_flags)},
  bindings = [
    ${bindings.join(',\n    ')}
  ]${values.coordinator ? COORDINATOR : ''}
);
`
}

function hyperdriveBinding() {
  return `(name = "HYPERDRIVE", hyperdrive = (
      designator = "database", scheme = "postgres", database = ${text(decodeURIComponent(database.pathname.slice(1)))},
      user = ${text(decodeURIComponent(database.username))}, password = ${text(decodeURIComponent(database.password))}
    ))`
}
