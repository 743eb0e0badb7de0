import type { Api, KubeObject } from './api.ts'
import { type Check, type Cluster, eventually, expect } from './check.ts'

const NODES = 5
const SCALED_TO = 20
const NAMESPACE = 'workloads'
const DEPLOYMENT = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/web`

interface Condition {
  readonly type: string
  readonly status: string
}

/** What the control plane makes of nodes, deployments, jobs and namespaces. */
export const WORKLOAD_CHECKS: readonly Check[] = [
  { name: `${NODES} nodes become Ready`, run: nodesBecomeReady },
  { name: `a Deployment scales to ${SCALED_TO} and back to 2`, run: deploymentScales },
  { name: 'a Deployment rolls to another image', run: deploymentRolls },
  { name: 'a Job of three pods completes', run: jobCompletes },
  { name: 'deleting a namespace deletes all that is in it', run: namespaceCascades },
]

async function nodesBecomeReady({ api }: Cluster): Promise<string> {
  const names = Array.from({ length: NODES }, (_, index) => `node-${index}`)
  for (const name of names) {
    const labels = { 'kubernetes.io/hostname': name }
    await api.create('/api/v1/nodes', { metadata: { name, labels } })
  }
  await eventually('all nodes Ready', async () => {
    const { items } = await api.list('/api/v1/nodes')
    return items.length === NODES && items.every((node) => hasCondition(node, 'Ready'))
  })
  const leases = await eventually('a lease for each node', async () => {
    const { items } = await api.list('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases')
    return items.length === NODES && items
  })
  return `${leases.length} leases`
}

async function deploymentScales({ api }: Cluster): Promise<string> {
  await api.create('/api/v1/namespaces', { metadata: { name: NAMESPACE } })
  await api.create(
    `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`,
    deployment('web', 'example.com/web:1'),
  )
  await available(api, 2)
  await api.patch(DEPLOYMENT, { spec: { replicas: SCALED_TO } })
  await available(api, SCALED_TO)
  const { items } = await api.list(`/api/v1/namespaces/${NAMESPACE}/pods`)
  const used = new Set(items.map((pod) => pod.spec?.nodeName))
  expect(items.length === SCALED_TO, `${items.length} pods`)
  await api.patch(DEPLOYMENT, { spec: { replicas: 2 } })
  await available(api, 2)
  return `on ${used.size} nodes`
}

async function deploymentRolls({ api }: Cluster): Promise<undefined> {
  const container = { name: 'main', image: 'example.com/web:2' }
  await api.patch(DEPLOYMENT, { spec: { template: { spec: { containers: [container] } } } })
  await eventually('only pods of the new image', async () => {
    const { items } = await api.list(`/api/v1/namespaces/${NAMESPACE}/pods`)
    return items.length === 2 && items.every((pod) => JSON.stringify(pod.spec).includes('example.com/web:2'))
  })
  const { items } = await api.list(`/apis/apps/v1/namespaces/${NAMESPACE}/replicasets`)
  expect(items.length === 2, `${items.length} replica sets: one for each image`)
  return undefined
}

async function jobCompletes({ api }: Cluster): Promise<undefined> {
  const jobs = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`
  const template = {
    spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.com/job' }] },
  }
  await api.create(jobs, { metadata: { name: 'once' }, spec: { completions: 3, parallelism: 3, template } })
  await eventually('the job Complete', async () => hasCondition(await api.get(`${jobs}/once`), 'Complete'))
  return undefined
}

async function namespaceCascades({ api, store }: Cluster): Promise<string> {
  await api.create(`/api/v1/namespaces/${NAMESPACE}/configmaps`, { metadata: { name: 'some' } })
  await api.create(`/api/v1/namespaces/${NAMESPACE}/secrets`, { metadata: { name: 'some' } })
  const { items } = await api.list(`/api/v1/namespaces/${NAMESPACE}/pods`)
  await api.delete(`/api/v1/namespaces/${NAMESPACE}`)
  await eventually('no namespace', async () => {
    const namespaces = await api.list('/api/v1/namespaces')
    return namespaces.items.every(({ metadata }) => metadata.name !== NAMESPACE)
  })
  const resources = ['pods', 'deployments', 'replicasets', 'jobs', 'configmaps', 'secrets', 'serviceaccounts']
  for (const resource of resources) {
    const left = await store.keysBelow(`/registry/${resource}/${NAMESPACE}/`)
    expect(left === 0, `${left} ${resource} are left in the store`)
  }
  return `${items.length} pods and six other kinds of objects`
}

function available(api: Api, replicas: number): Promise<boolean> {
  return eventually(`${replicas} replicas available`, async () => {
    const { status } = await api.get(DEPLOYMENT)
    return status?.availableReplicas === replicas && status.replicas === replicas
  })
}

function hasCondition(object: KubeObject, type: string): boolean {
  const conditions = (object.status?.conditions ?? []) as readonly Condition[]
  return conditions.some((condition) => condition.type === type && condition.status === 'True')
}

function deployment(name: string, image: string): object {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image }] } }
  return { metadata: { name }, spec: { replicas: 2, selector: { matchLabels: labels }, template } }
}
