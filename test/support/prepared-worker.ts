import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { GatewayServer } from './etcd.ts'
import { Gateway } from './gateway.ts'
import { projectRoot, temporaryDir } from './paths.ts'
import { freePort } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'
import { devWorkerCall, type WorkerdOptions } from './workerd.ts'

/** One workerd, without anything around it. */
export interface WorkerProcess extends GatewayServer {
  readonly port: number
  readonly pid: number
  /** Ends it at once, as when its machine fails; resolves when it is gone. */
  kill(): Promise<void>
}

/** The Worker on a migrated database, ready to be started: as often as wanted, several at a time. */
export interface PreparedWorker extends AsyncDisposable {
  /** Starts a workerd on `port` (a free one if not given); resolves when it answers. */
  start(port?: number): Promise<WorkerProcess>
}

/** Prepares what `startWorkerd` would start. Disposing of it doesn't end what was started. */
export async function prepareWorker(options: WorkerdOptions): Promise<PreparedWorker> {
  await using own = new AsyncDisposableStack()
  const dir = temporaryDir('prepared-worker')
  own.defer(() => rmSync(dir, { recursive: true, force: true }))
  const { words, env } = await devWorkerCall(options, own)
  await promisify(execFile)(process.execPath, [...words, '--outdir', dir], { cwd: projectRoot, env })
  const prepared = own.move()
  return {
    start: (port) => startPrepared(dir, port),
    [Symbol.asyncDispose]: () => prepared.disposeAsync(),
  }
}

async function startPrepared(dir: string, chosenPort: number | undefined): Promise<WorkerProcess> {
  const port = chosenPort ?? (await freePort())
  const address = `http=127.0.0.1:${port}`
  const child = startProcess(join(projectRoot, 'node_modules/.bin/workerd'), [
    'serve',
    '--experimental',
    '--socket-addr',
    address,
    join(dir, 'config.capnp'),
  ])
  const gateway = new Gateway(`http://127.0.0.1:${port}`)
  await waitUntilReady('workerd', child, async () => (await gateway.status('/readyz')) === 200)
  const kill = async () => {
    gateway.close()
    if (child.running) child.signal('SIGKILL')
    await child.exited
  }
  return { port, pid: child.pid, gateway, kill, [Symbol.asyncDispose]: kill }
}
