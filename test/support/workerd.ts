import { join } from 'node:path'
import { cleanEnvironment, type EdgetcdOptions } from './edgetcd.ts'
import type { GatewayServer } from './etcd.ts'
import { Gateway } from './gateway.ts'
import { projectRoot } from './paths.ts'
import { freePort } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'
import { workerRole } from './worker-role.ts'

/**
 * Starts the Worker in workerd, as `npm run dev:worker` does, on a PostgreSQL that is migrated first. The Worker runs under
 * the role of docs/workers.md, as it should in production; `databaseUrl` is the owner's.
 * Disposing of it ends the whole process group: wrangler doesn't always end its workerd.
 */
export async function startWorkerd(
  options: Required<Pick<EdgetcdOptions, 'databaseUrl' | 'schema'>> & {
    /** More of the Worker's variables. */
    readonly variables?: Readonly<Record<string, string>>
  },
): Promise<GatewayServer> {
  const { databaseUrl, schema, variables } = options
  const port = await freePort()
  const child = startProcess(
    process.execPath,
    [join(projectRoot, 'scripts/dev-worker.mjs'), '--port', String(port), '--no-migrate'],
    {
      cwd: projectRoot,
      detached: true,
      env: {
        ...cleanEnvironment(),
        DATABASE_URL: await workerRole(databaseUrl, schema),
        ETCD_SCHEMA: schema,
        ...variables,
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
