import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cleanEnvironment } from './edgetcd.ts'
import type { GatewayServer } from './etcd.ts'
import { Gateway } from './gateway.ts'
import { projectRoot, temporaryDir } from './paths.ts'
import { freePort } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'
import type { WorkerWay } from './worker-ways.ts'

export interface WorkerBundleOptions {
  readonly databaseUrl: string
  readonly schema: string
  readonly way: WorkerWay
  /** More of the Worker's variables. */
  readonly variables?: Readonly<Record<string, string>>
}

/** One workerd, without anything around it. */
export interface WorkerProcess extends GatewayServer {
  readonly port: number
  readonly pid: number
  /** Ends it at once, as when its machine fails; resolves when it is gone. */
  kill(): Promise<void>
}

/** The Worker on a migrated database, ready to be started: as often as wanted, several at a time. */
export interface WorkerBundle extends AsyncDisposable {
  /** Starts a workerd on `port` (a free one if not given), with more of its own flags; resolves when it answers. */
  start(port?: number, ...flags: string[]): Promise<WorkerProcess>
}

/** Builds what `npm run dev:worker` would run, once. Disposing of it doesn't end what was started. */
export async function bundleWorker(options: WorkerBundleOptions): Promise<WorkerBundle> {
  const { databaseUrl, schema, way, variables } = options
  const dir = temporaryDir('worker-bundle')
  const driver = way.driver === 'hyperdrive' ? [] : ['--driver', way.driver]
  const words = [...driver, ...(way.coordinator ? ['--coordinator'] : [])]
  await promisify(execFile)(
    process.execPath,
    [join(projectRoot, 'scripts/dev-worker.mjs'), ...words, '--outdir', dir],
    {
      cwd: projectRoot,
      env: { ...cleanEnvironment(), DATABASE_URL: databaseUrl, ETCD_SCHEMA: schema, ...variables },
    },
  )
  return {
    start: (port, ...flags) => startBundle(dir, port, flags),
    async [Symbol.asyncDispose]() {
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function startBundle(dir: string, chosenPort: number | undefined, flags: readonly string[]) {
  const port = chosenPort ?? (await freePort())
  const address = `http=127.0.0.1:${port}`
  const child = startProcess(
    join(projectRoot, 'node_modules/.bin/workerd'),
    ['serve', '--experimental', '--socket-addr', address, ...flags, join(dir, 'config.capnp')],
    { cwd: dir },
  )
  const gateway = new Gateway(`http://127.0.0.1:${port}`)
  await waitUntilReady('workerd', child, async () => (await gateway.status('/readyz')) === 200)
  const kill = async () => {
    gateway.close()
    await child.stop(0)
  }
  return { port, pid: child.pid, gateway, kill, [Symbol.asyncDispose]: kill }
}
