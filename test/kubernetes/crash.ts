import type { Api } from './api.ts'
import { type Check, eventually, expect } from './check.ts'

const WRITERS = 8
/** Acknowledged before something breaks, and again after it. */
const WRITES = 200
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

/** What lies below the apiserver goes away. */
export const CRASH_CHECKS: readonly Check[] = [
  {
    name: 'edgetcd is killed amid writes and started again: the cluster goes on, nothing is lost',
    run: ({ api, uncached, store }) =>
      amidWrites('crash', [api, uncached], async (more) => {
        await store.killAndRestart()
        await more()
      }),
  },
  {
    name: 'so it does when its PostgreSQL crashes',
    run: ({ api, uncached, store }) =>
      amidWrites('outage', [api, uncached], async (more) => {
        await store.crashDatabase()
        await more()
      }),
  },
]

/**
 * Writes through the first of `apis` while `breakIt` does its work, and expects what was acknowledged in the lists of all.
 * `breakIt` is given a function that waits until more has been acknowledged.
 */
export async function amidWrites(
  name: string,
  apis: readonly [Api, ...Api[]],
  breakIt: (more: () => Promise<void>) => Promise<void>,
): Promise<string> {
  const acknowledged = new Set<string>()
  let going = true
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; going; n++) await tryToCreate(apis[0], `${name}-${writer}-${n}`, acknowledged)
  })
  const more = async () => {
    const before = acknowledged.size
    await eventually('more writes', async () => acknowledged.size >= before + WRITES)
  }
  try {
    await more()
    await breakIt(more)
  } finally {
    going = false
    await Promise.all(writers)
  }
  for (const server of apis) {
    const { items } = await server.list(CONFIG_MAPS)
    const there = new Set(items.map(({ metadata }) => metadata.name))
    const lost = [...acknowledged].filter((one) => !there.has(one))
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
