import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cleanEnvironment } from './edgetcd.ts'
import type { GatewayServer } from './etcd.ts'
import { Gateway } from './gateway.ts'
import { type NeonProxy, startNeonProxy } from './neon-proxy.ts'
import { projectRoot, temporaryDir } from './paths.ts'
import { freePort } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'
import { workerRole } from './worker-role.ts'
import type { WorkerWay } from './worker-ways.ts'

export interface WorkerdOptions extends Partial<WorkerWay> {
  readonly databaseUrl: string
  readonly schema: string
  /** More of the Worker's variables. */
  readonly variables?: Readonly<Record<string, string>>
  /** What lies between the Worker and the database: takes the role's connection string, gives the one to use. */
  readonly through?: (databaseUrl: string) => Promise<string>
  /** What it answers when it has started, where that isn't a Worker that is ready. */
  readonly started?: { readonly path: string; readonly status: number }
  /** What speaks Neon's protocol to the Worker, if the test has one; it stays the test's. */
  readonly neonProxy?: NeonProxy
}

export interface Workerd extends GatewayServer {
  /** What it has logged so far. */
  output(): string
}

/**
 * Starts the Worker in workerd, as `npm run dev:worker` does, on a PostgreSQL that is migrated first. The Worker runs under
 * the role of docs/workers.md, as it should in production; `databaseUrl` is the owner's.
 * Disposing of it ends the whole process group: wrangler doesn't always end its workerd.
 */
export async function startWorkerd(options: WorkerdOptions): Promise<Workerd> {
  await using own = new AsyncDisposableStack()
  const port = await freePort()
  const { words, env } = await devWorkerCall(options, own)
  const child = startProcess(process.execPath, [...words, '--port', String(port)], {
    cwd: projectRoot,
    detached: true,
    env,
  })
  own.defer(() => child.stopGroup())
  const gateway = new Gateway(`http://127.0.0.1:${port}`)
  own.defer(() => gateway.close())
  const { path, status } = options.started ?? { path: '/readyz', status: 200 }
  await waitUntilReady('workerd', child, async () => (await gateway.status(path)) === status, 120_000)
  const started = own.move()
  return { gateway, output: () => child.output(), [Symbol.asyncDispose]: () => started.disposeAsync() }
}

/**
 * How scripts/dev-worker.mjs is called: the words after `node`, and the environment. The database is migrated then, and has
 * the Worker's role; what has to live as long as the Worker is put on `own`.
 */
export async function devWorkerCall(
  { databaseUrl, schema, variables, through, neonProxy, driver = 'hyperdrive', coordinator }: WorkerdOptions,
  own: AsyncDisposableStack,
): Promise<{ words: string[]; env: NodeJS.ProcessEnv }> {
  const roleUrl = await workerRole(databaseUrl, schema)
  const neon =
    driver === 'neon'
      ? (neonProxy ?? own.use(await startNeonProxy(Number(new URL(databaseUrl).port))))
      : undefined
  const words = ['--no-migrate', '--driver', driver, '--bundle', await workerBundle()]
  const env = {
    ...cleanEnvironment(),
    DATABASE_URL: (await through?.(roleUrl)) ?? roleUrl,
    ETCD_SCHEMA: schema,
    ...(neon && { NEON_PROXY: neon.url }),
    ...variables,
  }
  const script = join(projectRoot, 'scripts/dev-worker.mjs')
  return { words: [script, ...words, ...(coordinator ? ['--coordinator'] : [])], env }
}

let bundled: Promise<string> | undefined

/** The directory of the bundle that `wrangler deploy` would upload: made once for a test file. */
function workerBundle(): Promise<string> {
  bundled ??= (async () => {
    const dir = temporaryDir('worker-bundle')
    // wrangler needs a newer Node than edgetcd does; one is among the packages.
    await promisify(execFile)(
      join(projectRoot, 'node_modules/.bin/node'),
      ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', dir],
      { cwd: projectRoot, env: { ...process.env, WRANGLER_SEND_METRICS: 'false' } },
    )
    return dir
  })()
  return bundled
}
