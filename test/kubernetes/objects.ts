import { ApiError, type KubeObject } from './api.ts'
import { type Check, type Cluster, eventually, expect, rejection } from './check.ts'

const CLIENTS = 16
const INCREMENTS = 10
const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets'
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'
/** Just under what the apiserver takes: a request of 1.5 MiB in etcd. */
const LARGE_BYTES = 900_000

/** What becomes of single objects: of kinds of one's own, under conflicting writes, and large ones. */
export const OBJECT_CHECKS: readonly Check[] = [
  { name: 'a CRD and its objects, which go with it', run: customResources },
  { name: `${CLIENTS} clients count to ${CLIENTS * INCREMENTS} by conditional updates`, run: conflicts },
  { name: 'an object of 900 KB', run: largeObject },
  { name: 'an object waits for its finalizer', run: finalizer },
]

async function customResources({ api, store }: Cluster): Promise<string> {
  await api.create(DEFINITIONS, widgetDefinition())
  await eventually('the resource is served', async () => (await api.list(WIDGETS)).items.length === 0)
  for (let size = 0; size < 10; size++) await api.create(WIDGETS, widget(`widget-${size}`, size))
  const refused = await rejection('a negative size', api.create(WIDGETS, widget('wrong', -1)))
  expect(refused instanceof ApiError && refused.code === 422, `a wrong object: ${refused}`)
  const changed = await api.patch(`${WIDGETS}/widget-3/status`, { status: { ready: true } })
  expect(changed.status?.ready === true, 'the status was not written')
  await api.delete(`${DEFINITIONS}/widgets.example.com`)
  await eventually('no widgets in the store', async () => {
    return (await store.keysBelow('/registry/example.com/widgets/')) === 0
  })
  return '10 objects'
}

async function conflicts({ api }: Cluster): Promise<string> {
  const path = `${CONFIG_MAPS}/counter`
  await api.create(CONFIG_MAPS, { metadata: { name: 'counter' }, data: { count: '0' } })
  let conflicting = 0
  const increment = async () => {
    for (;;) {
      const counter = await api.get(path)
      const data = { count: String(Number(counter.data?.count) + 1) }
      try {
        return await api.replace(path, { ...counter, data })
      } catch (error) {
        if (!(error instanceof ApiError && error.code === 409)) throw error
        conflicting++
      }
    }
  }
  const client = async () => {
    for (let n = 0; n < INCREMENTS; n++) await increment()
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  const { data } = await api.get(path)
  expect(data?.count === String(CLIENTS * INCREMENTS), `counted to ${data?.count}`)
  return `${conflicting} conflicts`
}

async function largeObject({ api, uncached }: Cluster): Promise<undefined> {
  const value = 'x'.repeat(LARGE_BYTES)
  await api.create(CONFIG_MAPS, { metadata: { name: 'large' }, data: { value } })
  const read = await uncached.get(`${CONFIG_MAPS}/large`)
  expect(read.data?.value === value, 'it came back otherwise')
  await api.delete(`${CONFIG_MAPS}/large`)
  return undefined
}

async function finalizer({ api }: Cluster): Promise<undefined> {
  const path = `${CONFIG_MAPS}/held`
  await api.create(CONFIG_MAPS, { metadata: { name: 'held', finalizers: ['example.com/hold'] } })
  await api.delete(path)
  const held: KubeObject & { metadata: { deletionTimestamp?: string } } = await api.get(path)
  expect(held.metadata.deletionTimestamp !== undefined, 'it is not being deleted')
  await api.patch(path, { metadata: { finalizers: null } })
  const gone = await rejection('to read it', api.get(path))
  expect(gone instanceof ApiError && gone.code === 404, `then: ${gone}`)
  return undefined
}

function widget(name: string, size: number): object {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec: { size } }
}

function widgetDefinition(): object {
  const size = { type: 'object', properties: { size: { type: 'integer', minimum: 0 } } }
  const status = { type: 'object', properties: { ready: { type: 'boolean' } } }
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: size, status } } }
  const version = { name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }
  const names = { kind: 'Widget', plural: 'widgets', singular: 'widget' }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: { group: 'example.com', scope: 'Namespaced', names, versions: [version] },
  }
}
