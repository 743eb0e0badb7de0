import { join } from 'node:path'
import type { GatewayServer } from './etcd.ts'
import { Gateway } from './gateway.ts'
import { projectRoot } from './paths.ts'
import { freePort } from './ports.ts'
import { type Child, startProcess, waitUntilReady } from './process.ts'

export interface EdgetcdOptions {
  /** The PostgreSQL to serve from; without it `dataDir` is the embedded server's. */
  readonly databaseUrl?: string
  readonly dataDir?: string
  readonly schema?: string
  /** Listen here instead of on a free port. */
  readonly port?: number
  /** More flags of `edgetcd serve`. */
  readonly args?: readonly string[]
  /** A process group of its own, so that a test can kill the whole of it. */
  readonly detached?: boolean
}

export interface Edgetcd extends GatewayServer {
  readonly url: string
  readonly port: number
  readonly child: Child
}

/** The environment without anything that would configure a server. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(ETCD|DATABASE|EDGETCD|PG|VITEST)/.test(name),
  )
  return Object.fromEntries(kept)
}

/** Starts the bundled server as a child process and waits until it answers. Disposing of it sends SIGTERM. */
export async function startEdgetcd(options: EdgetcdOptions): Promise<Edgetcd> {
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const flags = {
    '--database-url': options.databaseUrl,
    '--data-dir': options.dataDir,
    '--schema': options.schema,
  }
  const args = Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]))
  const child = startProcess(
    process.execPath,
    [
      join(projectRoot, 'dist/cli.js'),
      'serve',
      '--listen-client-urls',
      url,
      ...args,
      ...(options.args ?? []),
    ],
    { env: cleanEnvironment(), detached: options.detached ?? false },
  )
  const gateway = new Gateway(url)
  await waitUntilReady('edgetcd', child, async () => (await gateway.status('/readyz')) === 200)
  return {
    url,
    port,
    child,
    gateway,
    async [Symbol.asyncDispose]() {
      gateway.close()
      await child.stop()
    },
  }
}
