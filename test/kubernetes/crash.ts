import type { Api } from './api.ts'
import { type Check, type Cluster, eventually, expect } from './check.ts'

const WRITERS = 8
/** Acknowledged before the server is killed, and again once it is back. */
const WRITES = 200
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

/** The server in the middle goes away. */
export const CRASH_CHECKS: readonly Check[] = [
  {
    name: 'edgetcd is killed amid writes and started again: the cluster goes on, nothing is lost',
    run: killed,
  },
]

async function killed({ api, uncached, store }: Cluster): Promise<string> {
  const acknowledged = new Set<string>()
  let going = true
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; going; n++) await tryToCreate(api, `crash-${writer}-${n}`, acknowledged)
  })
  try {
    await eventually('writes before', async () => acknowledged.size >= WRITES)
    const before = acknowledged.size
    await store.killAndRestart()
    await eventually('writes after', async () => acknowledged.size >= before + WRITES)
  } finally {
    going = false
    await Promise.all(writers)
  }
  for (const server of [api, uncached]) {
    const { items } = await server.list(CONFIG_MAPS)
    const there = new Set(items.map(({ metadata }) => metadata.name))
    const lost = [...acknowledged].filter((name) => !there.has(name))
    expect(lost.length === 0, `lost: ${lost.join(', ')}`)
  }
  return `${acknowledged.size} writes acknowledged`
}

async function tryToCreate(api: Api, name: string, acknowledged: Set<string>): Promise<void> {
  try {
    await api.create(CONFIG_MAPS, { metadata: { name } })
    acknowledged.add(name)
  } catch {
    // Nobody is promised anything while the store is away; whether this one was written isn't known.
  }
}
