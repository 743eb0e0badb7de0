import { type Api, ApiError, type KubeList } from './api.ts'
import { type Check, type Cluster, eventually, expect } from './check.ts'

const NAMESPACE = 'paged'
const CONFIG_MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`
const OBJECTS = 250
const PAGE = 40
/** How long events are kept, and how often the apiserver compacts, which is to the position of one interval before. */
export const EVENT_TTL_SECONDS = 10
export const COMPACTION_SECONDS = 10
/** A lease of a tenth more than the TTL, and what it may take to be noticed. */
const EVENT_GONE_AFTER_MS = (EVENT_TTL_SECONDS + 5) * 1000

/** The store's past: pages of one revision, and what is over. */
export const PAST_CHECKS: readonly Check[] = [
  {
    name: `${OBJECTS} objects in pages of ${PAGE} are those of one revision, whatever is written between`,
    run: paging,
  },
  { name: `an event goes after its ${EVENT_TTL_SECONDS} seconds`, run: eventExpires },
  { name: 'after the compaction by the apiserver what is old is 410 Gone', run: compacted },
]

async function paging({ api, uncached }: Cluster): Promise<string> {
  await api.create('/api/v1/namespaces', { metadata: { name: NAMESPACE } })
  const names = Array.from({ length: OBJECTS }, (_, index) => `page-${String(index).padStart(3, '0')}`)
  await Promise.all(
    names.map((name) => api.create(CONFIG_MAPS, { metadata: { name, labels: { paged: 'yes' } } })),
  )
  for (const server of [api, uncached]) {
    const first = await server.list(`${CONFIG_MAPS}?limit=${PAGE}&labelSelector=paged`)
    const between = `between-${server === api ? 'a' : 'b'}`
    await api.create(CONFIG_MAPS, { metadata: { name: between, labels: { paged: 'yes' } } })
    await api.delete(`${CONFIG_MAPS}/page-249`)
    const seen = await rest(server, first)
    const versions = new Set(seen.map((page) => page.metadata.resourceVersion))
    expect(versions.size === 1, `the pages are of ${[...versions].join(', ')}`)
    const listed = seen.flatMap((page) => page.items.map((item) => item.metadata.name))
    expect(
      listed.includes('page-249') && !listed.includes(between),
      'the pages show what was written after the first',
    )
    await api.delete(`${CONFIG_MAPS}/${between}`)
    await api.create(CONFIG_MAPS, { metadata: { name: 'page-249', labels: { paged: 'yes' } } })
    expect(listed.join() === names.join(), `the pages have ${listed.length} objects`)
  }
  return 'with the cache and without'
}

/** The pages from `first` on. */
async function rest(api: Api, first: KubeList): Promise<KubeList[]> {
  const pages = [first]
  for (let page = first; page.metadata.continue; pages.push(page)) {
    const token = encodeURIComponent(page.metadata.continue)
    page = await api.list(`${CONFIG_MAPS}?limit=${PAGE}&labelSelector=paged&continue=${token}`)
  }
  return pages
}

async function eventExpires({ api }: Cluster): Promise<string> {
  const events = `/api/v1/namespaces/${NAMESPACE}/events`
  const involvedObject = { kind: 'ConfigMap', namespace: NAMESPACE, name: 'page-000' }
  const created = await api.create(events, {
    metadata: { name: 'expiring', namespace: NAMESPACE },
    ...{ involvedObject, reason: 'Checked', message: 'goes by itself', type: 'Normal' },
  })
  const started = performance.now()
  for await (const event of api.watch(`${events}?resourceVersion=${created.metadata.resourceVersion}`)) {
    if (event.object.metadata.name === 'expiring' && event.type === 'DELETED') break
  }
  const tookMs = performance.now() - started
  const took = `${(tookMs / 1000).toFixed(1)} s`
  expect(tookMs >= EVENT_TTL_SECONDS * 1000 && tookMs < EVENT_GONE_AFTER_MS, `it went after ${took}`)
  return `after ${took}`
}

async function compacted({ api, uncached }: Cluster): Promise<string> {
  const first = await api.list(`${CONFIG_MAPS}?limit=${PAGE}`)
  const old = first.metadata.resourceVersion
  const token = encodeURIComponent(first.metadata.continue ?? '')
  const exact = `${CONFIG_MAPS}?limit=${PAGE}&resourceVersion=${old}&resourceVersionMatch=Exact`
  expect(
    (await uncached.list(exact)).metadata.resourceVersion === old,
    'the old list could not be had at first',
  )
  // Every interval ends with the revision of the one before compacted: there have to be later ones.
  const started = performance.now()
  await eventually('the old list is refused', async () => {
    await api.patch(`${CONFIG_MAPS}/page-000`, { data: { now: String(Date.now()) } })
    return isGone(uncached.list(exact))
  })
  const took = `${((performance.now() - started) / 1000).toFixed(1)} s`
  // The cache looks every 15 seconds which snapshots of its own are of before the compaction.
  await eventually('the cache refuses the old list, too', () => isGone(api.list(exact)))
  for (const server of [api, uncached]) {
    const next = server.list(`${CONFIG_MAPS}?limit=${PAGE}&continue=${token}`)
    expect(await isGone(next), 'the next page of the old list is still given')
  }
  expect(await watchIsGone(uncached, old), 'a watch from the old revision was taken')
  return `after ${took}: exact lists, later pages, watches`
}

async function isGone(answer: Promise<unknown>): Promise<boolean> {
  let error: unknown
  try {
    await answer
    return false
  } catch (thrown) {
    error = thrown
  }
  if (error instanceof ApiError && error.code === 410) return true
  throw error
}

/** A watch is refused by its status or, once it has begun, by an event. */
async function watchIsGone(api: Api, resourceVersion: string): Promise<boolean> {
  const watch = api.watch(`${CONFIG_MAPS}?resourceVersion=${resourceVersion}`)
  try {
    for await (const { type, object } of watch) return type === 'ERROR' && object.code === 410
  } catch (error) {
    if (error instanceof ApiError) return error.code === 410
    throw error
  }
  return false
}
