import { type Check, type Cluster, eventually, expect } from './check.ts'
import { startScheduler } from './control-plane.ts'

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'
const PODS = '/api/v1/namespaces/default/pods'

/** Leases of coordination.k8s.io, by which the parts of the control plane agree on who works. */
export const ELECTION_CHECKS: readonly Check[] = [
  { name: 'leaders hold leases and renew them', run: leadersRenew },
  { name: 'a scheduler that is killed is replaced by another', run: leaderIsReplaced },
]

async function leadersRenew({ api }: Cluster): Promise<undefined> {
  for (const name of ['kube-controller-manager', 'kube-scheduler']) {
    const { spec } = await api.get(`${LEASES}/${name}`)
    expect(Boolean(spec?.holderIdentity), `nobody holds ${name}`)
    await eventually(`${name} is renewed`, async () => {
      const later = await api.get(`${LEASES}/${name}`)
      return later.spec?.renewTime !== spec?.renewTime
    })
  }
  return undefined
}

async function leaderIsReplaced({ api, programs, kubeconfig, scheduler }: Cluster): Promise<string> {
  const holder = async () => (await api.get(`${LEASES}/kube-scheduler`)).spec?.holderIdentity
  const first = await holder()
  const standby = startScheduler(programs, kubeconfig)
  try {
    scheduler.signal('SIGKILL')
    await scheduler.exited
    const started = performance.now()
    await api.create(PODS, {
      metadata: { name: 'waiting' },
      spec: { containers: [{ name: 'main', image: 'x' }] },
    })
    await eventually('another leads', async () => {
      const now = await holder()
      return Boolean(now) && now !== first
    })
    await eventually(
      'the pod runs',
      async () => (await api.get(`${PODS}/waiting`)).status?.phase === 'Running',
    )
    return `its pod ran after ${((performance.now() - started) / 1000).toFixed(1)} s`
  } finally {
    await standby.stop()
  }
}
