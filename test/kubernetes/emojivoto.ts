import { join } from 'node:path'
import { projectRoot } from '../support/paths.ts'
import { type Check, type Cluster, eventually, expect, kubectl } from './check.ts'

const MANIFEST = join(projectRoot, 'docs/emojivoto.yaml')
const DEPLOYMENTS = ['emoji', 'voting', 'web', 'vote-bot']
const SERVICES = ['emoji-svc', 'voting-svc', 'web-svc']
const ALL = '/apis/discovery.k8s.io/v1/namespaces/emojivoto/endpointslices'

/** The sample application, installed as a user does. */
export const EMOJIVOTO_CHECKS: readonly Check[] = [
  { name: 'Emojivoto: four Deployments run, and its Services have endpoints', run: emojivotoRuns },
]

async function emojivotoRuns(cluster: Cluster): Promise<string> {
  await kubectl(cluster, 'apply', '-f', MANIFEST)
  for (const name of DEPLOYMENTS) {
    await kubectl(
      cluster,
      '--namespace=emojivoto',
      'rollout',
      'status',
      `deployment/${name}`,
      '--timeout=60s',
    )
  }
  const { items } = await cluster.api.list('/api/v1/namespaces/emojivoto/pods')
  expect(items.length === DEPLOYMENTS.length, `${items.length} pods`)
  expect(
    items.every((pod) => pod.status?.phase === 'Running'),
    'not all pods are Running',
  )
  await eventually('endpoints of all services', async () => {
    const slices = await cluster.api.list<{ metadata: { name: string }; endpoints: unknown[] | null }>(ALL)
    const ready = slices.items.filter((slice) => slice.endpoints?.length === 1)
    return ready.length === SERVICES.length
  })
  return `${items.length} pods, ${SERVICES.length} services`
}
