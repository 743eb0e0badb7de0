/**
 * Runs Kubernetes on edgetcd and says what held:
 *
 *     npm run kubernetes
 *
 * The first run builds Kubernetes from its Go module (up to a quarter of an hour on two cores); EDGETCD_KUBERNETES_BIN names a
 * directory that has its programs already. Prints a line for each check and, alone on the last line, `N passed, N failed`.
 */
import { etcdBinary, startEtcd } from '../support/etcd.ts'
import { KUBERNETES_VERSION, kubernetesPrograms, type Programs } from './binaries.ts'
import type { Check, Cluster } from './check.ts'
import { CONSISTENCY_CHECKS, LIST_AFTER_WRITE_MS_MAX } from './consistency.ts'
import * as controlPlane from './control-plane.ts'
import { CRASH_CHECKS } from './crash.ts'
import { ELECTION_CHECKS } from './election.ts'
import { EMOJIVOTO_CHECKS } from './emojivoto.ts'
import { FAILOVER_CHECKS } from './failover.ts'
import { type LoadResult, loadByTurns } from './load.ts'
import { OBJECT_CHECKS } from './objects.ts'
import { COMPACTION_SECONDS, EVENT_TTL_SECONDS, PAST_CHECKS } from './past.ts'
import { buildStorageTests, runStorageTests } from './storage-tests.ts'
import { Store } from './store.ts'
import { WATCH_CHECKS } from './watching.ts'
import { WORKLOAD_CHECKS } from './workloads.ts'

const CHECKS = [
  ...WORKLOAD_CHECKS,
  ...EMOJIVOTO_CHECKS,
  ...OBJECT_CHECKS,
  ...CONSISTENCY_CHECKS,
  ...WATCH_CHECKS,
  ...PAST_CHECKS,
  ...CRASH_CHECKS,
  ...ELECTION_CHECKS,
  ...FAILOVER_CHECKS,
]

/** Of etcd's rate: stores in a SQL database have about 0.6 of it, and a single run's luck is in both. */
const RATE_MIN = 0.4

let passed = 0
let failed = 0

async function main(): Promise<void> {
  const programs = await kubernetesPrograms()
  await checkStorage()
  await checkCluster(programs)
  await compareLoad(programs)
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

/** What Kubernetes itself tests its storage by, on the etcd that it is made for. */
async function checkStorage(): Promise<void> {
  const name = "Kubernetes' own tests of its storage"
  const tests = await buildStorageTests()
  if ('missing' in tests) console.log(`     ${name} are skipped: ${tests.missing}`)
  else await report(name, () => runStorageTests(tests.path))
}

/** The whole control plane on an edgetcd of its own, with every check in turn. */
async function checkCluster(programs: Programs): Promise<void> {
  const files = controlPlane.makeClusterFiles()
  await using store = await Store.start()
  await using server = await controlPlane.startApiserver(
    ...[programs, files, store.url],
    ...[`--event-ttl=${EVENT_TTL_SECONDS}s`, `--etcd-compaction-interval=${COMPACTION_SECONDS}s`],
  )
  await using uncached = await controlPlane.startApiserver(
    ...[programs, files, store.url],
    ...['--watch-cache=false', '--etcd-compaction-interval=0'],
  )
  const otherUrl = await store.startOther()
  await using elsewhere = await controlPlane.startApiserver(
    ...[programs, files, otherUrl, '--etcd-compaction-interval=0'],
  )
  const { api, kubeconfig } = server
  const scheduler = controlPlane.startScheduler(programs, kubeconfig)
  const others = [
    controlPlane.startControllerManager(programs, files, kubeconfig),
    controlPlane.startKwok(programs, kubeconfig),
  ]
  try {
    console.log(`     Kubernetes ${KUBERNETES_VERSION} is up on ${store.url}`)
    const apis = { api, uncached: uncached.api, elsewhere: elsewhere.api }
    const cluster: Cluster = { store, ...apis, kubeconfig, programs, scheduler }
    for (const check of CHECKS) await report(check.name, () => check.run(cluster))
    console.log(`     edgetcd has ${store.memoryMb()} MB resident`)
  } finally {
    await Promise.all([scheduler, ...others].map((child) => child.stop()))
  }
}

/** The same load on etcd and on edgetcd, each with an apiserver and nothing else on it. */
async function compareLoad(programs: Programs): Promise<void> {
  const binary = await etcdBinary()
  if ('missing' in binary) throw new Error(binary.missing)
  await using etcd = await startEtcd(binary.path, '--unsafe-no-fsync=false')
  await using edgetcd = await Store.start()
  await using onEtcd = await startAlone(programs, etcd.gateway.url)
  await using onEdgetcd = await startAlone(programs, edgetcd.url)
  const results = await loadByTurns({ etcd: onEtcd.api, edgetcd: onEdgetcd.api })
  const rate = (what: string, of: (result: LoadResult) => number) =>
    report(`2,000 ConfigMaps of 1 KB, 16 clients: ${what} a second`, async () => {
      const detail = `${Math.round(of(results.edgetcd))}, etcd ${Math.round(of(results.etcd))}`
      if (of(results.edgetcd) < RATE_MIN * of(results.etcd)) throw new Error(`too few: ${detail}`)
      return detail
    })
  await rate('created', (result) => result.createsPerSecond)
  await rate('updated', (result) => result.updatesPerSecond)
  await rate('deleted', (result) => result.deletesPerSecond)
  await report('a consistent list of them right after a write', async () => {
    const median = results.edgetcd.listAfterWriteMs
    const detail = `${Math.round(median)} ms, etcd ${Math.round(results.etcd.listAfterWriteMs)} ms`
    if (median > LIST_AFTER_WRITE_MS_MAX) throw new Error(`too long: ${detail}`)
    return detail
  })
}

function startAlone(programs: Programs, storeUrl: string): Promise<controlPlane.Apiserver> {
  return controlPlane.startApiserver(programs, controlPlane.makeClusterFiles(), storeUrl)
}

async function report(name: Check['name'], run: () => Promise<string | undefined>): Promise<void> {
  const started = performance.now()
  try {
    const detail = await run()
    passed++
    const seconds = (performance.now() - started) / 1000
    // What was measured before takes no time here.
    const took = seconds < 0.01 ? '' : `, ${seconds.toFixed(1)} s`
    console.log(`ok   ${name}${detail ? ` (${detail})` : ''}${took}`)
  } catch (error) {
    failed++
    console.log(`FAIL ${name}`)
    console.error(error)
  }
}

await main()
