import { describe, expect, it, test } from 'vitest'
import { readConfig } from './config.ts'
import { readConfigFile } from './config-file.ts'

const files = (text: string) => ({
  config: readConfigFile('etcd.yml', text),
  read: () => new Uint8Array(),
})
const configOf = (text: string, flags: Record<string, string> = {}, variables: Record<string, string> = {}) =>
  readConfig(flags, variables, files(text))

describe('a configuration file as etcd has it', () => {
  it('says what flags say', () => {
    const config = configOf(`
# etcd's own sample has this form
name: 'edge-1'
data-dir: /var/lib/edgetcd
listen-client-urls: https://127.0.0.1:2379,http://127.0.0.1:2381
advertise-client-urls: https://edge-1:2379
quota-backend-bytes: 8589934592
max-txn-ops: 256
auto-compaction-mode: periodic
auto-compaction-retention: "1"
watch-progress-notify-interval: 30000000000
warning-apply-duration: 250ms
log-level: debug
log-outputs: [stderr]
cipher-suites: [
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
]
snapshot-count: 10000
client-transport-security:
  cert-file: /tls/server.crt
  key-file: /tls/server.key
  client-cert-auth: yes
  trusted-ca-file: /tls/ca.crt
  allowed-hostname: [api, 10.0.0.1]
peer-transport-security:
  cert-file: /tls/peer.crt
  client-cert-auth: true
socket-options:
  reuse-port: true
`)
    expect(config).toMatchObject({
      name: 'edge-1',
      dataDir: '/var/lib/edgetcd',
      listenClientUrls: ['https://127.0.0.1:2379', 'http://127.0.0.1:2381'],
      advertiseClientUrls: ['https://edge-1:2379'],
      quotaBackendBytes: 8_589_934_592n,
      maxTxnOps: 256,
      retention: { mode: 'periodic', seconds: 3600 },
      watchProgressNotifyInterval: 30_000,
      warningApplyDuration: 250,
      logLevel: 'debug',
      logOutputs: ['stderr'],
      tls: {
        certificate: { certFile: '/tls/server.crt', keyFile: '/tls/server.key' },
        clients: { caFile: '/tls/ca.crt', allowedHostnames: ['api', '10.0.0.1'] },
      },
      ignoredFlags: [
        '--snapshot-count',
        '--socket-reuse-port',
        '--peer-cert-file',
        '--peer-client-cert-auth',
      ],
    })
  })

  it('says all that etcd’s flags and variables could say; what is not etcd’s is taken from anywhere', () => {
    const file = 'name: file\nschema: file\n'
    const config = configOf(
      file,
      { name: 'flag', schema: 'flag' },
      { ETCD_LOG_LEVEL: 'debug', DATABASE_URL: 'postgres://a/b', ETCD_CONFIG_FILE: 'etcd.yml' },
    )
    expect(config).toMatchObject({
      name: 'file',
      schema: 'flag',
      logLevel: 'info',
      databaseUrl: 'postgres://a/b',
    })
    expect(config.warnings).toEqual([
      '--name is ignored: etcd.yml says all',
      'schema in etcd.yml is ignored: --schema goes before it',
      'ETCD_LOG_LEVEL is ignored: etcd.yml says all',
    ])
  })

  it('may be empty, and may have what older versions of etcd knew', () => {
    expect(configOf('')).toEqual(readConfig({}, {}))
    expect(configOf("enable-v2: true\nproxy: 'off'").warnings).toEqual([
      'enable-v2 in etcd.yml is not known',
      'proxy in etcd.yml is not known',
    ])
  })
})

test.each([
  ['name: [', 'etcd.yml: '],
  ['- name', 'must hold settings'],
  ['max-txn-ops: many', 'max-txn-ops in etcd.yml is "many", but must be'],
  ['force-new-cluster: true', 'force-new-cluster in etcd.yml is "true", which can\'t be followed'],
  ['datadir: x', 'etcd.yml: datadir is not known; did you mean data-dir?'],
  ['whatever-it-is: x', 'etcd.yml: whatever-it-is is not known'],
  ['client-transport-security: yes', 'client-transport-security must be a block'],
  ['client-transport-security: {allowed-cn: [a]}', "client-transport-security can't have allowed-cn"],
])('%s is refused', (text, message) => expect(() => configOf(text)).toThrow(message))
