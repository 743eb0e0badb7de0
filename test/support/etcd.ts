import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Gateway } from './gateway.ts'
import { cacheDir, temporaryDir } from './paths.ts'
import { freePorts } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'

/** The release whose behaviour edgetcd has. */
export const ETCD_VERSION = '3.6.16'

/** A running server that speaks etcd's JSON gateway. */
export interface GatewayServer extends AsyncDisposable {
  readonly gateway: Gateway
}

type Binary = { readonly path: string } | { readonly missing: string }
const run = promisify(execFile)
let binary: Promise<Binary> | undefined

/**
 * The etcd binary: EDGETCD_ETCD_BINARY if set, else built once from its Go module into node_modules/.cache (about a
 * minute). `missing` says why there is none: no Go, or no way to its modules.
 */
export function etcdBinary(): Promise<Binary> {
  binary ??= findEtcd()
  return binary
}

async function findEtcd(): Promise<Binary> {
  const given = process.env.EDGETCD_ETCD_BINARY
  if (given) return { path: given }
  const cached = join(cacheDir('etcd'), `etcd-${ETCD_VERSION}`)
  if (existsSync(cached)) return { path: cached }
  const dir = temporaryDir('etcd-build')
  try {
    const go = (...args: string[]) => run('go', args, { cwd: dir })
    await go('mod', 'init', 'etcd.build/throwaway')
    await go('get', '-tool', `go.etcd.io/etcd/server/v3@v${ETCD_VERSION}`)
    await go('build', '-o', join(dir, 'etcd'), 'go.etcd.io/etcd/server/v3')
    copyFileSync(join(dir, 'etcd'), `${cached}.new`)
    renameSync(`${cached}.new`, cached)
    return { path: cached }
  } catch (error) {
    return { missing: `etcd ${ETCD_VERSION} can't be built here: ${firstLines(error)}` }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function firstLines(error: unknown): string {
  return String(error instanceof Error ? error.message : error)
    .split('\n')
    .slice(0, 3)
    .join(' ')
}

/** Starts an etcd of one member on an empty directory, with `flags` besides. Its store is at revision 1. */
export async function startEtcd(path: string, ...flags: string[]): Promise<GatewayServer> {
  const dir = temporaryDir('etcd')
  const [clientPort, peerPort] = await freePorts(2)
  const url = `http://127.0.0.1:${clientPort}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const child = startProcess(path, [
    ...['--data-dir', join(dir, 'data'), '--unsafe-no-fsync', '--log-level', 'error'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `default=${peerUrl}`],
    ...flags,
  ])
  const gateway = new Gateway(url)
  await waitUntilReady('etcd', child, async () => (await gateway.status('/readyz')) === 200)
  return {
    gateway,
    async [Symbol.asyncDispose]() {
      gateway.close()
      await child.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
