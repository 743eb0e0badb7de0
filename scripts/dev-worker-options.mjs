import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/** What npm run dev:worker can't go on from; its message is all there is to say. */
export class Failure extends Error {}

export const HELP = `Serves the Worker in workerd, on a PostgreSQL that is migrated first.

Usage: DATABASE_URL=postgres://… npm run dev:worker -- [OPTIONS]

  --port PORT      where to listen on 127.0.0.1 (8787); 0 is any port that is free
  --driver DRIVER  hyperdrive: pg through a local Hyperdrive (the default)
                   neon: Neon's driver, to the proxy at NEON_PROXY
  --coordinator    with the Durable Object where requests meet
  --no-migrate     leaves the database as it is, for the Worker's role of docs/workers.md may not migrate it
  --bundle DIR     serves the bundle that \`wrangler deploy --dry-run --outdir DIR\` left there
  --outdir DIR     starts nothing, but leaves there what \`workerd serve --experimental DIR/config.capnp\` serves from
  --help           this page

Variables:
  DATABASE_URL     the PostgreSQL to serve from; through a Hyperdrive without TLS
  NEON_PROXY       with --driver neon, the URL of a proxy that speaks Neon's protocol: POST /sql, WebSocket /v2
  ETCD_*, SUBREQUESTS_MAX
                   settings of the Worker, which go before those of wrangler.toml`

const OPTIONS = {
  port: { type: 'string', default: '8787' },
  driver: { type: 'string', default: 'hyperdrive' },
  coordinator: { type: 'boolean', default: false },
  'no-migrate': { type: 'boolean', default: false },
  bundle: { type: 'string' },
  outdir: { type: 'string' },
  help: { type: 'boolean', default: false },
}

/** The options of HELP, from the words of a command line and the environment. Fails with a Failure. */
export function readOptions(words, env) {
  const { 'no-migrate': noMigrate, ...values } = parse(words)
  if (values.help) return { help: true }
  const { driver, coordinator, bundle } = values
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
    throw new Failure('--port must be a number from 0 to 65535')
  }
  if (bundle !== undefined && !existsSync(join(bundle, 'worker.js'))) {
    throw new Failure(`--bundle: there is no worker.js in ${bundle}`)
  }
  const way = { hyperdrive: 'through Hyperdrive', neon: "by Neon's driver" }[driver]
  if (way === undefined) throw new Failure('--driver must be hyperdrive or neon')
  return {
    ...values,
    ...databaseOptions(driver, env),
    port: Number(values.port),
    migrate: !noMigrate,
    way: `${way}, ${coordinator ? 'with' : 'without'} the Durable Object`,
    settings: Object.fromEntries(
      Object.entries(env).filter(([name]) => /^(ETCD_|SUBREQUESTS_MAX$)/.test(name)),
    ),
  }
}

function parse(words) {
  try {
    return parseArgs({ args: words, options: OPTIONS }).values
  } catch (error) {
    throw new Failure(`${error.message.split('\n')[0]}; --help lists the options`)
  }
}

function databaseOptions(driver, { DATABASE_URL = '', NEON_PROXY = '' }) {
  if (!/^(postgres(ql)?|neon):/.test(DATABASE_URL) || !URL.canParse(DATABASE_URL)) {
    throw new Failure('DATABASE_URL must name the PostgreSQL to serve from: postgres://…')
  }
  const database = new URL(DATABASE_URL)
  if (driver === 'neon') {
    if (URL.canParse(NEON_PROXY)) return { database, neonProxy: NEON_PROXY }
    throw new Failure(
      "NEON_PROXY must name a proxy that speaks Neon's protocol: http://…; use npx wrangler dev for Neon itself",
    )
  }
  if (['disable', 'allow', 'prefer', null].includes(database.searchParams.get('sslmode'))) return { database }
  throw new Failure(
    'a Hyperdrive of workerd alone speaks no TLS to the database; use npx wrangler dev for that',
  )
}
