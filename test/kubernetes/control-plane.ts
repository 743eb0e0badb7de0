import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, temporaryDir } from '../support/paths.ts'
import { freePort } from '../support/ports.ts'
import { type Child, startProcess, waitUntilReady } from '../support/process.ts'
import { Api } from './api.ts'
import type { Programs } from './binaries.ts'

/** The token of the only user, who may do everything; it opens apiservers of this run on the loopback interface. */
const TOKEN = 'acceptance'
/** Of the addresses set aside for documentation: Kubernetes refuses to tell pods a loopback address. */
const ADVERTISED = '192.0.2.1'
const START_TIMEOUT_MS = 120_000

export interface Apiserver extends AsyncDisposable {
  readonly api: Api
  readonly kubeconfig: string
  readonly child: Child
}

/** What all apiservers of one cluster share: the key that signs the service accounts' tokens, and the user. */
export interface ClusterFiles {
  readonly dir: string
  readonly serviceAccountKey: string
  readonly tokens: string
}

/** Makes the files of a new cluster in a directory of its own. */
export function makeClusterFiles(): ClusterFiles {
  const dir = temporaryDir('kubernetes')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const serviceAccountKey = join(dir, 'service-account.key')
  writeFileSync(serviceAccountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const tokens = join(dir, 'tokens.csv')
  writeFileSync(tokens, `${TOKEN},admin,admin,system:masters\n`)
  return { dir, serviceAccountKey, tokens }
}

/** Starts an apiserver on the store at `storeUrl` and waits until it is ready. */
export async function startApiserver(
  programs: Programs,
  files: ClusterFiles,
  storeUrl: string,
  ...flags: string[]
): Promise<Apiserver> {
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const certificates = join(files.dir, `apiserver-${port}`)
  const child = startProcess(programs['kube-apiserver'], [
    ...[`--etcd-servers=${storeUrl}`, `--secure-port=${port}`, '--bind-address=127.0.0.1'],
    ...[`--advertise-address=${ADVERTISED}`, '--service-cluster-ip-range=10.96.0.0/16'],
    ...[`--cert-dir=${certificates}`, `--token-auth-file=${files.tokens}`, '--authorization-mode=RBAC'],
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.serviceAccountKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    ...flags,
  ])
  const connect = (ca: string) => new Api(url, { ca, token: TOKEN })
  const certificate = join(certificates, 'apiserver.crt')
  await waitUntilReady('kube-apiserver', child, () => isReady(certificate, connect), START_TIMEOUT_MS)
  const kubeconfig = join(certificates, 'kubeconfig')
  writeFileSync(kubeconfig, JSON.stringify(kubeconfigOf(url, certificate)))
  const api = connect(readFileSync(certificate, 'utf8'))
  return {
    api,
    kubeconfig,
    child,
    async [Symbol.asyncDispose]() {
      api.close()
      await child.stop(5000)
    },
  }
}

/** The apiserver makes its certificate while it starts: before that there is nobody to ask. */
async function isReady(certificate: string, connect: (ca: string) => Api): Promise<boolean> {
  let ca: string
  try {
    ca = readFileSync(certificate, 'utf8')
  } catch {
    return false
  }
  const api = connect(ca)
  const ready = await api.isReady()
  api.close()
  return ready
}

function kubeconfigOf(server: string, certificate: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'edgetcd', cluster: { server, 'certificate-authority': certificate } }],
    users: [{ name: 'admin', user: { token: TOKEN } }],
    contexts: [{ name: 'edgetcd', context: { cluster: 'edgetcd', user: 'admin' } }],
    'current-context': 'edgetcd',
  }
}

/** A lost leader is replaced within this, instead of the quarter of a minute that is usual. */
const ELECTION = [
  '--leader-elect-lease-duration=5s',
  '--leader-elect-renew-deadline=4s',
  '--leader-elect-retry-period=1s',
]

export function startControllerManager(programs: Programs, files: ClusterFiles, kubeconfig: string): Child {
  return startProcess(programs['kube-controller-manager'], [
    ...[`--kubeconfig=${kubeconfig}`, '--secure-port=0', ...ELECTION],
    ...[`--service-account-private-key-file=${files.serviceAccountKey}`, '--use-service-account-credentials'],
  ])
}

export function startScheduler(programs: Programs, kubeconfig: string): Child {
  return startProcess(programs['kube-scheduler'], [
    `--kubeconfig=${kubeconfig}`,
    '--secure-port=0',
    ...ELECTION,
  ])
}

/** KWOK in the place of every node's kubelet. */
export function startKwok(programs: Programs, kubeconfig: string): Child {
  const stages = join(projectRoot, 'test/kubernetes/kwok.yaml')
  return startProcess(programs.kwok, [
    ...[`--kubeconfig=${kubeconfig}`, '--manage-all-nodes', `--config=${stages}`],
    ...['--node-lease-duration-seconds=40', '--cidr=10.244.0.0/16'],
  ])
}
