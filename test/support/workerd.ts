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
  /** What speaks Neon's protocol to the Worker, if the test has one; it stays the test's. */
  readonly neonProxy?: NeonProxy
}

/**
 * Starts the Worker in workerd, as `npm run dev:worker` does, on a PostgreSQL that is migrated first. The Worker runs under
 * the role of docs/workers.md, as it should in production; `databaseUrl` is the owner's.
 * Disposing of it ends the whole process group: wrangler doesn't always end its workerd.
 */
export async function startWorkerd(options: WorkerdOptions): Promise<GatewayServer> {
  const { databaseUrl, schema, variables, through, driver = 'hyperdrive', coordinator = false } = options
  const roleUrl = await workerRole(databaseUrl, schema)
  await using own = new AsyncDisposableStack()
  const neon =
    driver === 'neon'
      ? (options.neonProxy ?? own.use(await startNeonProxy(Number(new URL(databaseUrl).port))))
      : undefined
  const port = await freePort()
  const words = ['--port', String(port), '--no-migrate', '--driver', driver, '--bundle', await workerBundle()]
  const child = startProcess(
    process.execPath,
    [join(projectRoot, 'scripts/dev-worker.mjs'), ...words, ...(coordinator ? ['--coordinator'] : [])],
    {
      cwd: projectRoot,
      detached: true,
      env: {
        ...cleanEnvironment(),
        DATABASE_URL: (await through?.(roleUrl)) ?? roleUrl,
        ETCD_SCHEMA: schema,
        ...(neon && { NEON_PROXY: neon.url }),
        ...variables,
      },
    },
  )
  own.defer(() => child.stopGroup())
  const gateway = new Gateway(`http://127.0.0.1:${port}`)
  own.defer(() => gateway.close())
  await waitUntilReady('workerd', child, async () => (await gateway.status('/readyz')) === 200, 120_000)
  const started = own.move()
  return { gateway, [Symbol.asyncDispose]: () => started.disposeAsync() }
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
