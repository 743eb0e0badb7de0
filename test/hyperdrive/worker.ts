import type { GatewayServer } from '../support/etcd.ts'
import { type Hyperdrive, type HyperdriveOptions, startHyperdrive } from '../support/hyperdrive.ts'
import { startWorkerd } from '../support/workerd.ts'

/** The Worker in workerd, on a stand-in for Hyperdrive that pools transactions and caches queries. */
export interface WorkerOnHyperdrive extends GatewayServer {
  readonly hyperdrive: Hyperdrive
}

/**
 * Starts both. Disposing of them fails when the Worker sent a statement whose answer Hyperdrive would have kept, or one
 * that it doesn't support.
 */
export async function startOnHyperdrive(
  { databaseUrl, schema }: { readonly databaseUrl: string; readonly schema: string },
  { coordinator = false, ...options }: HyperdriveOptions & { readonly coordinator?: boolean } = {},
): Promise<WorkerOnHyperdrive> {
  let hyperdrive: Hyperdrive | undefined
  const worker = await startWorkerd({
    databaseUrl,
    schema,
    coordinator,
    async through(url) {
      hyperdrive = await startHyperdrive(url, options)
      return hyperdrive.url
    },
  })
  if (hyperdrive === undefined) throw new Error('the Worker has no Hyperdrive')
  const started = hyperdrive
  return {
    gateway: worker.gateway,
    hyperdrive: started,
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]()
      await started[Symbol.asyncDispose]()
      const { cacheable, refused } = started.counts
      const wrong = [...cacheable, ...refused]
      if (wrong.length > 0) throw new Error(`not for Hyperdrive:\n${[...new Set(wrong)].join('\n')}`)
    },
  }
}
