import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get, request } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { makeAuthority, opensslMissing } from '../../src/tls/testing/certificates.ts'
import { cleanEnvironment } from '../support/edgetcd.ts'
import { Gateway, type JsonObject } from '../support/gateway.ts'
import { projectRoot, temporaryDir } from '../support/paths.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startProcess, waitUntilReady } from '../support/process.ts'

const start = (args: readonly string[], variables: Record<string, string> = {}) =>
  startProcess(process.execPath, [join(projectRoot, 'dist/cli.js'), ...args], {
    env: { ...cleanEnvironment(), ...variables },
  })

/** The line that a server prints when it serves, and what it has logged until then. */
async function untilReady(child: ReturnType<typeof start>) {
  const lines = () =>
    child
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
  const ready = () => lines().some((line) => line.includes('"event":"ready"'))
  await waitUntilReady('edgetcd', child, async () => ready())
  const parsed = lines().map((line) => JSON.parse(line) as JsonObject)
  return { ready: parsed.find(({ event }) => event === 'ready') ?? {}, log: parsed.filter(({ msg }) => msg) }
}

describe('edgetcd started as etcd is', () => {
  let postgres: Postgres
  const directory = temporaryDir('drop-in')
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  it('takes flags and variables, names what it ignores, and says where it listens', async () => {
    const child = start(
      [
        ...[
          '-name=infra0',
          '--listen-client-urls',
          'http://127.0.0.1:0',
          '--advertise-client-urls',
          'http://10.9.8.7:1',
        ],
        ...[
          '--initial-cluster',
          'infra0=http://10.9.8.7:2380',
          '-snapshot-count',
          '5000',
          '--pre-vote=false',
        ],
      ],
      {
        ...{
          ETCD_MAX_TXN_OPS: '1',
          ETCD_ELECTION_TIMEOUT: '5000',
          ETCD_NAME: 'other',
          ETCD_PORT: 'tcp://secret',
        },
        ...{ DATABASE_URL: postgres.url, ETCD_SCHEMA: postgres.freshSchema() },
      },
    )
    await waitUntilReady('edgetcd', child, async () => child.output().includes('listening on'))
    const output = child.output()
    const [, url = ''] = /listening on {2}(http:\/\/127\.0\.0\.1:\d+)\n/.exec(output) ?? []
    expect(output).toContain(
      'ignored       --snapshot-count, --election-timeout, --initial-cluster, --pre-vote: they mean nothing here',
    )
    expect(output).toContain(`  try           curl ${url}/v3/kv/put -d `)
    expect(output).toContain('ETCD_NAME is ignored: --name goes before it')
    expect(output).toContain('unrecognized environment variable ETCD_PORT')
    expect(output).not.toContain('secret')
    const gateway = new Gateway(url)
    const { members } = await gateway.ok('/v3/cluster/member/list', {})
    expect(members).toMatchObject([{ name: 'infra0', clientURLs: ['http://10.9.8.7:1'] }])
    const put = { request_put: { key: 'YQ==' } }
    expect(await gateway.call('/v3/kv/txn', { success: [put, put] })).toMatchObject({
      body: { message: 'etcdserver: too many operations in txn request' },
    })
    gateway.close()
    await child.stop()
  })

  it('says what a role needs that may not make its schema', async () => {
    await postgres.query(`create role newcomer login password 'newcomer'`)
    const url = new URL(postgres.url)
    url.username = 'newcomer'
    url.password = 'newcomer'
    const child = start(['migrate', '--database-url', url.href, '--schema', postgres.freshSchema()])
    expect(await child.exited).toBe(1)
    expect(child.output()).toMatch(
      /: permission denied for database (\S+): the role needs CREATE on it \(grant create on database \1 to …\)/,
    )
  })

  it.each([
    ['nobody listens there', () => 'postgres://127.0.0.1:1/x', 'no database listens there; start it'],
    [
      'the database is missing',
      () => postgres.url.replace(/[^/]+$/, 'nowhere'),
      'make it (create database …)',
    ],
    ['the database has no TLS', () => `${postgres.url}?sslmode=require`, 'or leave sslmode out'],
  ])('says what to do where %s', async (_, url, advice) => {
    const child = start(['migrate', '--database-url', url()])
    expect(await child.exited).toBe(1)
    expect(child.output()).toContain("edgetcd: can't use the database at postgres://")
    expect(child.output()).toContain(advice)
  })

  it.each([
    [['stores', 'list']],
    [['stores', 'drop', 'a', '--yes', 'a']],
    [['compact']],
    [['migrate', '--all']],
    [['recover', '--bump-revision', '1']],
  ])('%j makes no database where there is none', async (words) => {
    const data = join(directory, 'empty')
    mkdirSync(data, { recursive: true })
    for (const dir of [data, join(data, 'missing')]) {
      const child = start([...words, '--data-dir', dir])
      expect(await child.exited).toBe(1)
      expect(child.output()).toContain(`there is no store in ${dir}: say where one is`)
      expect(readdirSync(data)).toEqual([])
    }
  })

  it.skipIf(opensslMissing)('serves https by a configuration file, and logs into one', async () => {
    using authority = makeAuthority()
    const { certFile, keyFile } = authority.issue('server', 'IP:127.0.0.1')
    const file = join(directory, 'etcd.conf.yml')
    const log = join(directory, 'edgetcd.log')
    writeFileSync(
      file,
      `
listen-client-urls: https://127.0.0.1:0
log-outputs: [${log}]
log-format: console
client-transport-security:
  cert-file: ${certFile}
  key-file: ${keyFile}
  client-cert-auth: true
  trusted-ca-file: ${authority.caFile}
`,
    )
    const database = ['--database-url', postgres.url, '--schema', postgres.freshSchema()]
    const child = start(['--json', `-config-file=${file}`, ...database, '--name', 'unheard'])
    const { ready } = await untilReady(child)
    const [url] = ready.listening as string[]
    const client = authority.issue('client')
    const tls = { ca: readFileSync(authority.caFile) }
    const identity = { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) }
    expect(await statusOf(`${url}/version`, { ...tls, ...identity })).toBe(200)
    expect(await bodyOf(`${url}/v3/cluster/member/list`, { ...tls, ...identity })).toContain(
      `"clientURLs":["${url}"]`,
    )
    await expect(statusOf(`${url}/version`, tls)).rejects.toThrow()
    expect(readFileSync(log, 'utf8')).toMatch(/^\S+Z\twarn\t--name is ignored: \S+etcd\.conf\.yml says all\n/)
    await child.stop()
  })
})

/** What can't be followed is said before anything is done, in one line. */
test.each([
  [['--force-new-cluster'], '--force-new-cluster is "true", which can\'t be followed'],
  [['--client-cert-auth'], '--client-cert-auth protects nothing'],
  [['--initial-cluster', 'a=http://a:1,b=http://b:1'], 'each server would have a store of its own'],
  [['--listen-client-urls', 'https://127.0.0.1:1'], 'an https URL needs --cert-file and --key-file'],
  [
    ['--auth-token', 'jwt,sign-method=RS256,priv-key=/nowhere'],
    'priv-key=/nowhere: no such file or directory',
  ],
  [['--auth-token', 'jwt,sign-method=RS256,priv-key=package.json'], 'no tokens can be signed with its keys'],
  [['--config-file', '/nowhere/etcd.yml'], '--config-file /nowhere/etcd.yml: no such file or directory'],
  [['--max-txn-opps', '5'], 'unknown flag --max-txn-opps'],
])('%j is refused', async (args, message) => {
  const child = start(args)
  expect(await child.exited).toBe(2)
  expect(child.output()).toMatch(/^edgetcd: [^\n]+\n$/)
  expect(child.output()).toContain(message)
})

test('what can’t start makes no data directory', async () => {
  const directory = temporaryDir('not-made')
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const tls = ['--cert-file', '/nowhere/x.crt', '--key-file', '/nowhere/x.key']
  const file = join(directory, 'etcd.yml')
  const dataDir = join(directory, 'data')
  writeFileSync(file, `data-dir: ${dataDir}\nlog-leve: debug\n`)
  for (const [args, message] of [
    [['--listen-client-urls', `http://127.0.0.1:${port}`], 'another program listens there'],
    [['--listen-client-urls', 'https://127.0.0.1:0', ...tls], '--cert-file /nowhere/x.crt: no such file'],
    [['--log-outputs', '/nowhere/a.log'], '--log-outputs /nowhere/a.log: no such file'],
    [['--config-file', file], `${file}: log-leve is not known; did you mean log-level?`],
  ] as const) {
    const child = start(['--json', '--data-dir', dataDir, ...args])
    expect(await child.exited).not.toBe(0)
    const failed = JSON.parse(child.output()) as JsonObject
    expect(failed).toEqual({ event: 'failed', message: expect.stringContaining(message) })
    expect(existsSync(dataDir)).toBe(false)
  }
  taken.close()
  rmSync(directory, { recursive: true })
}, 30_000)

function statusOf(url: string, options: object): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, options, (answer) => resolve(answer.resume().statusCode)).once('error', reject)
  })
}

/** What a POST without a body is answered. */
function bodyOf(url: string, options: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', ...options }, async (answer) => {
      answer.setEncoding('utf8')
      resolve((await answer.toArray()).join(''))
    })
    sent.once('error', reject).end()
  })
}
