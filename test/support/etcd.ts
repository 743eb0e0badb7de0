import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Gateway } from './gateway.ts'
import { buildReleased, type GoProgram } from './go.ts'
import { temporaryDir } from './paths.ts'
import { freePorts } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'

/** The release whose behaviour edgetcd has. */
export const ETCD_VERSION = '3.6.16'

/** A running server that speaks etcd's JSON gateway. */
export interface GatewayServer extends AsyncDisposable {
  readonly gateway: Gateway
}

let binary: Promise<GoProgram> | undefined

/**
 * The etcd binary: EDGETCD_ETCD_BINARY if set, else built once from its Go module into node_modules/.cache (about a
 * minute).
 */
export function etcdBinary(): Promise<GoProgram> {
  const given = process.env.EDGETCD_ETCD_BINARY
  if (given) return Promise.resolve({ path: given })
  binary ??= buildReleased('etcd', 'go.etcd.io/etcd/server/v3', ETCD_VERSION)
  return binary
}

export interface Etcd extends GatewayServer {
  readonly pid: number
  /** Ends it and starts it again, on the same data and ports. */
  restart(): Promise<void>
}

/** Starts an etcd of one member on an empty directory, with `flags` besides. Its store is at revision 1. */
export async function startEtcd(path: string, ...flags: string[]): Promise<Etcd> {
  const dir = temporaryDir('etcd')
  const [clientPort, peerPort] = await freePorts(2)
  const url = `http://127.0.0.1:${clientPort}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const gateway = new Gateway(url)
  const start = async () => {
    const started = startProcess(path, [
      ...['--data-dir', join(dir, 'data'), '--unsafe-no-fsync', '--log-level', 'error'],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `default=${peerUrl}`],
      ...flags,
    ])
    await waitUntilReady('etcd', started, async () => (await gateway.status('/readyz')) === 200)
    return started
  }
  let child = await start()
  return {
    gateway,
    get pid() {
      return child.pid
    },
    async restart() {
      // It would wait for its clients' streams to end.
      await child.stop(1_000)
      child = await start()
    },
    async [Symbol.asyncDispose]() {
      gateway.close()
      await child.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
