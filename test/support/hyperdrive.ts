import { join } from 'node:path'
import { build } from 'esbuild'
import { cleanEnvironment } from './edgetcd.ts'
import type { GatewayServer } from './etcd.ts'
import { Gateway } from './gateway.ts'
import { cacheDir, projectRoot } from './paths.ts'
import { freePort } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'

/** Starts edgetcd on a stand-in for Hyperdrive with its query cache on: test/hyperdrive/server.ts. */
export async function startOnQueryCache(options: {
  databaseUrl: string
  schema: string
}): Promise<GatewayServer> {
  const outfile = join(cacheDir('hyperdrive'), 'server.mjs')
  await build({
    entryPoints: [join(projectRoot, 'test/hyperdrive/server.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    loader: { '.sql': 'text' },
    logLevel: 'warning',
  })
  const url = `http://127.0.0.1:${await freePort()}`
  const child = startProcess(process.execPath, [outfile], {
    env: {
      ...cleanEnvironment(),
      DATABASE_URL: options.databaseUrl,
      ETCD_SCHEMA: options.schema,
      ETCD_LISTEN_CLIENT_URLS: url,
    },
  })
  const gateway = new Gateway(url)
  await waitUntilReady(
    'edgetcd on a query cache',
    child,
    async () => (await gateway.status('/readyz')) === 200,
  )
  return { gateway, [Symbol.asyncDispose]: () => child.stop() }
}
