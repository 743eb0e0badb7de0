import { join } from 'node:path'
import { cleanEnvironment, type EdgetcdOptions } from './edgetcd.ts'
import type { GatewayServer } from './etcd.ts'
import { Gateway } from './gateway.ts'
import { projectRoot } from './paths.ts'
import { freePort } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'

/**
 * Starts the Worker in workerd, as `npm run dev:worker` does, on a PostgreSQL that the script migrates first.
 * Disposing of it ends the whole process group: wrangler doesn't always end its workerd.
 */
export async function startWorkerd(
  options: Required<Pick<EdgetcdOptions, 'databaseUrl' | 'schema'>> & {
    /** More of the Worker's variables. */
    readonly variables?: Readonly<Record<string, string>>
  },
): Promise<GatewayServer> {
  const port = await freePort()
  const child = startProcess(
    process.execPath,
    [join(projectRoot, 'scripts/dev-worker.mjs'), '--port', String(port)],
    {
      cwd: projectRoot,
      detached: true,
      env: {
        ...cleanEnvironment(),
        DATABASE_URL: options.databaseUrl,
        ETCD_SCHEMA: options.schema,
        ...options.variables,
      },
    },
  )
  const gateway = new Gateway(`http://127.0.0.1:${port}`)
  await waitUntilReady('workerd', child, async () => (await gateway.status('/readyz')) === 200, 120_000)
  return {
    gateway,
    async [Symbol.asyncDispose]() {
      gateway.close()
      await child.stopGroup()
    },
  }
}
