import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { flagsPage } from '../../scripts/flags-page.ts'
import { readConfig } from './config.ts'
import { ETCD_FLAGS, OLD_NAMES } from './etcd-flags.ts'
import { readCommandLine } from './flags.ts'
import { SETTING_NAMES } from './setting-table.ts'
import { variableOf } from './sources.ts'

/** The flags in `etcd --help` of etcd 3.6.16; those with a star are switches. `--config-file` is in its usage. */
const HELP = `
  advertise-client-urls auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention
  auto-tls* backend-batch-interval backend-batch-limit backend-bbolt-freelist-type bcrypt-cost
  bootstrap-defrag-threshold-megabytes cert-file cipher-suites client-cert-allowed-hostname
  client-cert-auth* client-cert-file client-crl-file client-key-file compact-hash-check-time
  compaction-batch-limit compaction-sleep-interval corrupt-check-time cors data-dir discovery
  discovery-cacert discovery-cert discovery-dial-timeout discovery-endpoints discovery-fallback
  discovery-insecure-skip-tls-verify* discovery-insecure-transport* discovery-keepalive-time
  discovery-keepalive-timeout discovery-key discovery-password discovery-proxy discovery-request-timeout
  discovery-srv discovery-srv-name discovery-token discovery-user distributed-tracing-address
  distributed-tracing-instance-id distributed-tracing-sampling-rate distributed-tracing-service-name
  downgrade-check-time election-timeout enable-distributed-tracing* enable-grpc-gateway*
  enable-log-rotation* enable-pprof* experimental-bootstrap-defrag-threshold-megabytes
  experimental-compact-hash-check-enabled* experimental-compact-hash-check-time
  experimental-compaction-batch-limit experimental-compaction-sleep-interval
  experimental-corrupt-check-time experimental-distributed-tracing-address
  experimental-distributed-tracing-instance-id experimental-distributed-tracing-sampling-rate
  experimental-distributed-tracing-service-name experimental-downgrade-check-time
  experimental-enable-distributed-tracing* experimental-enable-lease-checkpoint*
  experimental-enable-lease-checkpoint-persist* experimental-initial-corrupt-check*
  experimental-memory-mlock* experimental-peer-skip-client-san-verification*
  experimental-snapshot-catchup-entries experimental-stop-grpc-service-on-defrag*
  experimental-txn-mode-write-with-shared-buffer* experimental-warning-apply-duration
  experimental-warning-unary-request-duration experimental-watch-progress-notify-interval feature-gates
  force-new-cluster* grpc-keepalive-interval grpc-keepalive-min-time grpc-keepalive-timeout
  heartbeat-interval host-whitelist initial-advertise-peer-urls initial-cluster initial-cluster-state
  initial-cluster-token initial-election-tick-advance* key-file listen-client-http-urls
  listen-client-urls listen-metrics-urls listen-peer-urls log-format log-level log-outputs
  log-rotation-config-json logger max-concurrent-streams max-learners max-request-bytes max-snapshots
  max-txn-ops max-wals memory-mlock* metrics name peer-auto-tls* peer-cert-allowed-cn
  peer-cert-allowed-hostname peer-cert-file peer-client-cert-auth* peer-client-cert-file
  peer-client-key-file peer-crl-file peer-key-file peer-skip-client-san-verification*
  peer-trusted-ca-file pre-vote* quota-backend-bytes raft-read-timeout raft-write-timeout
  self-signed-cert-validity snapshot-catchup-entries snapshot-count socket-reuse-address*
  socket-reuse-port* strict-reconfig-check* tls-max-version tls-min-version trusted-ca-file
  unsafe-no-fsync* v2-deprecation wal-dir warning-apply-duration warning-unary-request-duration
  watch-progress-notify-interval
`

const FLAGS = HELP.trim()
  .split(/\s+/)
  .map((word) => ({ name: word.replace('*', ''), isSwitch: word.endsWith('*') }))

const DATABASE = { 'database-url': 'postgres://a/b' }

describe("etcd's flags", () => {
  it('are all known, and no other is taken for one of them', () => {
    const known = [...SETTING_NAMES, ...Object.keys(ETCD_FLAGS), ...Object.keys(OLD_NAMES)]
    const names = FLAGS.map(({ name }) => name)
    expect(names.filter((name) => !known.includes(name))).toEqual([])
    expect(Object.keys({ ...ETCD_FLAGS, ...OLD_NAMES }).filter((name) => !names.includes(name))).toEqual([])
    expect(new Set(known).size, 'each is in one table').toBe(known.length)
  })

  it('are switches where etcd has switches', () => {
    for (const { name, isSwitch } of FLAGS) {
      const alone = () => readCommandLine([`-${name}`])
      if (isSwitch) expect(alone(), name).toMatchObject({ flags: { [name]: 'true' } })
      else expect(alone, name).toThrow(`flag needs a value: --${name}`)
    }
  })

  it('that mean nothing here are named', () => {
    const flags = { 'snapshot-count': '5', 'experimental-memory-mlock': 'true' }
    const variables = { ETCD_PEER_CERT_FILE: '/p.crt', ETCD_WAL_DIR: '' }
    const config = readConfig(flags, variables)
    expect(config.ignoredFlags).toEqual(['--snapshot-count', '--peer-cert-file', '--memory-mlock'])
    expect(config.warnings).toEqual([])
  })

  it.each([
    ['force-new-cluster', 'true', 'run edgetcd recover'],
    ['enable-grpc-gateway', 'false', 'the JSON gateway is always served'],
  ])('--%s=%s is refused, for somebody relies on it', (name, value, why) => {
    expect(() => readConfig({ ...DATABASE, [name]: value }, {})).toThrow(why)
    expect(() => readConfig({}, { [variableOf(name)]: value })).toThrow(`${variableOf(name)} is "${value}"`)
    expect(readConfig({ [name]: value === 'true' ? 'false' : 'true' }, {}).ignoredFlags).toEqual([
      `--${name}`,
    ])
  })

  it.each([
    ['initial-cluster', 'a=http://a:2380,b=http://b:2380', 'a=http://a:2380'],
    ['initial-cluster-state', 'existing', 'new'],
    ['discovery', 'https://discovery.example.com/1', ''],
    ['discovery-srv', 'example.com', ''],
  ])('--%s forms a cluster only of servers on one database', (name, several, one) => {
    expect(() => readConfig({ [name]: several }, {})).toThrow('each server would have a store of its own')
    expect(readConfig({ ...DATABASE, [name]: several }, {}).ignoredFlags).toEqual([`--${name}`])
    expect(() => readConfig({ [name]: one }, {})).not.toThrow()
  })

  it('by their old names are the same flags', () => {
    const flag = 'experimental-watch-progress-notify-interval'
    expect(readConfig({ [flag]: '30s' }, {}).watchProgressNotifyInterval).toBe(30_000)
    expect(() => readConfig({ [flag]: '30s', 'watch-progress-notify-interval': '1m' }, {})).toThrow(
      'are both set: use --watch-progress-notify-interval only',
    )
  })
})

it('docs/flags.md tells of all of them', () => {
  const page = readFileSync(new URL('../../docs/flags.md', import.meta.url), 'utf8')
  expect(page, 'run: npm run flags-page').toBe(flagsPage())
})
