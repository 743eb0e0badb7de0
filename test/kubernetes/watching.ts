import type { Api, KubeObject, WatchEvent } from './api.ts'
import { type Check, type Cluster, expect } from './check.ts'

const ROUNDS = 20
const WRITERS = 8
const WATCHERS = 4
const OBJECTS_PER_WRITER = 25
const NAMESPACE = 'watched'
/** Not ConfigMaps: the control plane keeps one of its own in every namespace. Their values have to be base64, as any four letters are. */
const SECRETS = `/api/v1/namespaces/${NAMESPACE}/secrets`
const LAST = 'last'

/** What watches see, and that they miss nothing. */
export const WATCH_CHECKS: readonly Check[] = [
  { name: 'a watch from a resourceVersion gives every later change once, in order', run: watchReplays },
  { name: 'a watch as list ends its first part with a bookmark', run: watchList },
  {
    name: `list, then watch under writes and deletes, without a cache: ${ROUNDS} of ${ROUNDS}`,
    run: listThenWatch,
  },
]

async function watchReplays({ api, uncached }: Cluster): Promise<string> {
  await api.create('/api/v1/namespaces', { metadata: { name: NAMESPACE } })
  const { metadata } = await api.list(SECRETS)
  const expected: string[] = []
  for (const name of ['a', 'b', 'c']) {
    const created = await api.create(SECRETS, { metadata: { name }, data: { is: 'init' } })
    const changed = await api.patch(`${SECRETS}/${name}`, { data: { is: 'next' } })
    await api.delete(`${SECRETS}/${name}`)
    expected.push(`ADDED ${name} init ${versionOf(created)}`, `MODIFIED ${name} next ${versionOf(changed)}`)
    expected.push(`DELETED ${name} next`)
  }
  await api.create(SECRETS, { metadata: { name: LAST } })
  for (const server of [api, uncached]) {
    const seen: string[] = []
    for await (const event of server.watch(`${SECRETS}?resourceVersion=${metadata.resourceVersion}`)) {
      if (event.object.metadata.name === LAST) break
      const version = event.type === 'DELETED' ? '' : ` ${versionOf(event.object)}`
      seen.push(`${event.type} ${event.object.metadata.name} ${event.object.data?.is}${version}`)
    }
    expect(
      seen.join('\n') === expected.join('\n'),
      `expected\n${expected.join('\n')}\nsaw\n${seen.join('\n')}`,
    )
  }
  await api.delete(`${SECRETS}/${LAST}`)
  return `${expected.length} events, with the apiserver's cache and without`
}

async function watchList({ api }: Cluster): Promise<string> {
  const query = 'sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan'
  const started = performance.now()
  let added = 0
  for await (const event of api.watch(`/api/v1/pods?${query}`)) {
    if (event.type === 'BOOKMARK') {
      const { annotations, resourceVersion } = event.object.metadata
      expect(annotations?.['k8s.io/initial-events-end'] === 'true', 'the bookmark does not end the list')
      expect(Number(resourceVersion) > 0, `the bookmark is at ${resourceVersion}`)
      break
    }
    expect(event.type === 'ADDED', `${event.type} within the list`)
    added++
  }
  return `${added} objects in ${Math.round(performance.now() - started)} ms`
}

async function listThenWatch({ api, uncached }: Cluster): Promise<string> {
  let events = 0
  for (let round = 1; round <= ROUNDS; round++) {
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, index) => write(api, round, index)))
    const written = writers.then(() => api.create(SECRETS, { metadata: { name: LAST } }))
    const watchers = Array.from({ length: WATCHERS }, (_, index) => follow(uncached, index))
    const [followed] = await Promise.all([Promise.all(watchers), written])
    const final = await uncached.list(SECRETS)
    const truth = describe(new Map(final.items.map((item) => [item.metadata.name, versionOf(item)])))
    for (const { state, seen } of followed) {
      expect(
        describe(state) === truth,
        `round ${round}: a watch ended with\n${describe(state)}\nfor\n${truth}`,
      )
      events += seen
    }
    await api.delete(SECRETS)
  }
  return `${events} events`
}

/** Creates objects, changes all and deletes every other one. */
async function write(api: Api, round: number, writer: number): Promise<void> {
  for (let n = 0; n < OBJECTS_PER_WRITER; n++) {
    const name = `w${round}-${writer}-${n}`
    await api.create(SECRETS, { metadata: { name }, data: { value: 'init' } })
    await api.patch(`${SECRETS}/${name}`, { data: { value: 'next' } })
    if (n % 2 === 0) await api.delete(`${SECRETS}/${name}`)
  }
}

interface Followed {
  readonly state: ReadonlyMap<string, string>
  readonly seen: number
}

/** Lists amid the writes, then watches from there until the last object is seen; gives what there is then. */
async function follow(api: Api, index: number): Promise<Followed> {
  await new Promise((resolve) => setTimeout(resolve, 50 + index * 100))
  const list = await api.list(SECRETS)
  const state = new Map(list.items.map((item) => [item.metadata.name, versionOf(item)]))
  let seen = 0
  let at = BigInt(list.metadata.resourceVersion)
  if (state.has(LAST)) return { state, seen }
  for await (const event of api.watch(`${SECRETS}?resourceVersion=${list.metadata.resourceVersion}`)) {
    const version = BigInt(versionOf(event.object))
    expect(version > at, `an event of ${version} after ${at}`)
    at = version
    seen++
    apply(state, event)
    if (event.object.metadata.name === LAST) return { state, seen }
  }
  throw new Error('the watch ended early')
}

function apply(state: Map<string, string>, { type, object }: WatchEvent): void {
  const { name } = object.metadata
  if (type === 'DELETED') {
    expect(state.delete(name), `${name} was deleted, but never there`)
    return
  }
  expect(type === 'ADDED' || type === 'MODIFIED', `${type} ${object.message}`)
  expect((type === 'MODIFIED') === state.has(name), `${type} ${name}, which was ${state.get(name)}`)
  state.set(name, versionOf(object))
}

function describe(state: ReadonlyMap<string, string>): string {
  return [...state]
    .map((entry) => entry.join('@'))
    .toSorted()
    .join(' ')
}

function versionOf(object: KubeObject): string {
  return object.metadata.resourceVersion ?? ''
}
