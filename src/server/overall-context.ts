import type { Context } from '../gateway/context.ts'
import { Metrics } from '../observe/metrics.ts'
import { errorText } from '../thrown.ts'
import type { ServedStore } from './served-store.ts'

/**
 * What is told on the ports for metrics where a server has several stores: of each store its metrics, labelled by its
 * name, of all together the health, and whether the process should go on: the probes fail only where no store can be read, since
 * whoever restarts it then does so to all. Such a port answers no RPC, and one store's context does for the rest.
 */
export function overallContext(
  first: ServedStore,
  stores: readonly ServedStore[],
  ofProcess: Metrics,
): Context {
  const metrics = new Metrics()
  for (const { address, instruments } of stores)
    metrics.include(instruments.metrics, { store: address.schema })
  metrics.include(ofProcess)
  const { context } = first
  return {
    ...context,
    services: {
      ...context.services,
      health: async (call) => {
        const alarms = await Promise.all(
          stores.map(({ context, address }) => context.services.health(call).catch(ofStore(address.schema))),
        )
        return alarms.flat()
      },
    },
    probed: async (call) => {
      const all = stores.map((store) => store.context.services.health(call))
      await Promise.any(all).catch((error: unknown) => {
        throw error instanceof AggregateError ? error.errors[0] : error
      })
      // Whichever of them is corrupt, the others are to be served.
      return []
    },
    instruments: { ...context.instruments, metrics },
    sampleStore: async () => {
      await Promise.all(stores.map((store) => store.context.sampleStore()))
    },
  }
}

/** Says whose failure it is. */
function ofStore(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new Error(`store ${name}: ${errorText(cause)}`, { cause })
  }
}
