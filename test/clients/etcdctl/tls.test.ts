import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, makeAuthority, opensslMissing } from '../../../src/tls/testing/certificates.ts'
import { cleanEnvironment } from '../../support/edgetcd.ts'
import { etcdBinary } from '../../support/etcd.ts'
import { etcdctlBinary } from '../../support/go-clients.ts'
import { projectRoot, temporaryDir } from '../../support/paths.ts'
import { freePorts } from '../../support/ports.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startProcess, waitUntilReady } from '../../support/process.ts'
import { normalise } from './normalise.ts'
import { Session, type Step } from './session.ts'

const [etcd, etcdctl] = await Promise.all([etcdBinary(), etcdctlBinary()])
const missing = [etcd, etcdctl].flatMap((program) => ('missing' in program ? [program.missing] : []))
if (opensslMissing !== undefined) missing.push(opensslMissing)
for (const reason of missing) console.log(`skipped: ${reason}`)

const AS_ROOT = '--cacert {ca} --cert {root}.crt --key {root}.key'
const AS_ALICE = '--cacert {ca} --cert {alice}.crt --key {alice}.key'
const as = (who: string, ...commands: string[]): Step[] =>
  commands.map((command) => ({ run: `${who} ${command}` }))

/** A certificate's name is whom its client is, unless the client says otherwise. */
const STEPS: readonly Step[] = [
  ...as(AS_ROOT, 'put public/a 1', 'put secret/a 2', 'get --prefix public/ --keys-only'),
  { start: `${AS_ROOT} watch --prefix public/ --rev 2`, as: 'watching' },
  { await: 'watching', prints: /public\/a/ },
  ...as(AS_ROOT, 'put public/b 3'),
  { await: 'watching', prints: /public\/b/ },
  { stop: 'watching' },
  ...as('--cacert {ca} --command-timeout 1s', 'get public/a'),
  ...as('--cert {root}.crt --key {root}.key --command-timeout 1s', 'get public/a'),
  ...as(
    AS_ROOT,
    'user add root:pw',
    'user add alice --no-password',
    'role add reader',
    'role grant-permission reader --prefix=true read public/',
    'user grant-role root root',
    'user grant-role alice reader',
    'auth enable',
    'get secret/a',
  ),
  ...as(AS_ALICE, 'get public/a', 'get secret/a', 'put public/a 9', 'user list', 'auth disable'),
  ...as(`${AS_ALICE} --user root:pw`, 'get secret/a'),
  ...as(`${AS_ROOT} --user alice:pw`, 'get public/a'),
  ...as(AS_ROOT, 'auth disable', 'get public/ --prefix'),
]

describe.skipIf(missing.length > 0)('etcdctl over TLS', () => {
  const stack = new AsyncDisposableStack()
  let authority: Authority
  let urls: readonly string[] = []

  beforeAll(async () => {
    if ('missing' in etcd) return
    authority = stack.use(makeAuthority())
    const { certFile, keyFile } = authority.issue('server', 'IP:127.0.0.1')
    for (const name of ['root', 'alice']) authority.issue(name)
    const [etcdPort, peerPort, edgetcdPort] = await freePorts(3)
    const postgres = stack.use(await startPostgres(18))
    const start = async (
      name: string,
      command: string,
      port: number | undefined,
      args: readonly string[],
    ) => {
      const url = `https://127.0.0.1:${port}`
      const child = startProcess(
        command,
        [
          ...args,
          ...['--listen-client-urls', url, '--advertise-client-urls', url, '--bcrypt-cost', '4'],
          ...['--cert-file', certFile, '--key-file', keyFile],
          ...['--client-cert-auth', '--trusted-ca-file', authority.caFile],
        ],
        { env: cleanEnvironment() },
      )
      stack.defer(() => child.stop())
      const session = new Session('missing' in etcdctl ? '' : etcdctl.path, url, names())
      const healthy = async () => {
        const [printed] = await session.take(as(AS_ROOT, 'endpoint health'))
        return printed?.endsWith('exit 0\n') === true
      }
      await waitUntilReady(name, child, healthy)
      return url
    }
    const peerUrl = `http://127.0.0.1:${peerPort}`
    urls = [
      await start('etcd', etcd.path, etcdPort, [
        ...['--data-dir', temporaryDir('etcd-tls'), '--unsafe-no-fsync', '--log-level', 'error'],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster', `default=${peerUrl}`],
      ]),
      await start('edgetcd', process.execPath, edgetcdPort, [
        ...[join(projectRoot, 'dist/cli.js'), 'serve'],
        ...['--database-url', postgres.url, '--schema', postgres.freshSchema()],
      ]),
    ]
  })
  afterAll(() => stack.disposeAsync())

  const names = () => ({
    ca: authority.caFile,
    root: join(authority.directory, 'root'),
    alice: join(authority.directory, 'alice'),
  })

  it('prints of edgetcd what it prints of etcd; the names of certificates are users', async () => {
    if ('missing' in etcdctl) return
    const transcripts = await Promise.all(
      urls.map(async (url) =>
        normalise((await new Session(etcdctl.path, url, names()).take(STEPS)).join('\n'), names()),
      ),
    )
    const [ofEtcd, ofEdgetcd] = transcripts
    expect(ofEdgetcd).toBe(ofEtcd)
    expect(ofEtcd).toContain('get secret/a\nError: etcdserver: permission denied')
  })
})
