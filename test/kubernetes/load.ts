import type { Api, KubeList, KubeObject } from './api.ts'
import { median } from './check.ts'

const OBJECTS = 2000
const CLIENTS = 16
/** After so many it is the other store's turn: what else the machine does slows down both. */
const TURN = 250
const VALUE_BYTES = 1024
const LISTS = 20
const PATH = '/api/v1/namespaces/default/configmaps'

/** What one store did under the load. */
export interface LoadResult {
  readonly createsPerSecond: number
  readonly updatesPerSecond: number
  readonly deletesPerSecond: number
  /** How long a consistent list of everything took that began right after a write was answered. */
  readonly listAfterWriteMs: number
}

/** 2,000 ConfigMaps of 1 KB, created, updated and deleted by 16 clients through each of the apiservers, by turns. */
export async function loadByTurns<Name extends string>(
  apis: Readonly<Record<Name, Api>>,
): Promise<Readonly<Record<Name, LoadResult>>> {
  const names = Object.keys(apis) as Name[]
  const rates = async (what: (api: Api, index: number) => Promise<unknown>) => {
    const tookMs = new Map<Name, number>()
    for (let first = 0; first < OBJECTS; first += TURN) {
      for (const name of names) {
        const took = await turnMs(first, (index) => what(apis[name], index))
        tookMs.set(name, (tookMs.get(name) ?? 0) + took)
      }
    }
    const rateOf = (name: Name) => (OBJECTS * 1000) / (tookMs.get(name) ?? 0)
    return Object.fromEntries(names.map((name) => [name, rateOf(name)])) as Record<Name, number>
  }
  const creates = await rates((api, index) => api.create(PATH, configMap(index, 'a')))
  const updates = await rates((api, index) => api.replace(`${PATH}/${nameOf(index)}`, configMap(index, 'b')))
  const lists: [Name, number][] = []
  for (const name of names) lists.push([name, await listAfterWriteMs(apis[name])])
  const listsMs = Object.fromEntries(lists) as Record<Name, number>
  const deletes = await rates((api, index) => api.delete(`${PATH}/${nameOf(index)}`))
  const resultOf = (name: Name): LoadResult => ({
    createsPerSecond: creates[name],
    updatesPerSecond: updates[name],
    deletesPerSecond: deletes[name],
    listAfterWriteMs: listsMs[name],
  })
  return Object.fromEntries(names.map((name) => [name, resultOf(name)])) as Record<Name, LoadResult>
}

/** How long all clients together took to do `what` to the objects of one turn. */
async function turnMs(first: number, what: (index: number) => Promise<unknown>): Promise<number> {
  let next = first
  const started = performance.now()
  const client = async () => {
    while (next < first + TURN) await what(next++)
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return performance.now() - started
}

/** The median of some lists; each has to show the write before it. */
async function listAfterWriteMs(api: Api): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < LISTS; n++) {
    const written = await api.replace(`${PATH}/${nameOf(n)}`, configMap(n, 'c'))
    const started = performance.now()
    const { items }: KubeList<KubeObject> = await api.list(PATH)
    times.push(performance.now() - started)
    const seen = items.find((item) => item.metadata.name === nameOf(n))?.metadata.resourceVersion
    if (seen !== written.metadata.resourceVersion) throw new Error(`the list has ${seen} of ${nameOf(n)}`)
  }
  return median(times)
}

function configMap(index: number, letter: string): object {
  return { metadata: { name: nameOf(index) }, data: { value: letter.repeat(VALUE_BYTES) } }
}

function nameOf(index: number): string {
  return `load-${index}`
}
