import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../../support/edgetcd.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../../support/etcd.ts'
import { etcdctlBinary } from '../../support/go-clients.ts'
import { temporaryDir } from '../../support/paths.ts'
import { startPostgres } from '../../support/postgres.ts'
import { normalise } from './normalise.ts'
import { SCENARIOS } from './scenarios.ts'
import { Session } from './session.ts'

const [etcd, etcdctl] = await Promise.all([etcdBinary(), etcdctlBinary()])
const missing = [etcd, etcdctl].flatMap((program) => ('missing' in program ? [program.missing] : []))
for (const reason of missing) console.log(`skipped: ${reason}`)

/** Passwords are checked quickly. */
const FLAGS = ['--bcrypt-cost', '4']

describe.skipIf(missing.length > 0)('etcdctl prints of edgetcd what it prints of etcd', () => {
  const stack = new AsyncDisposableStack()
  let servers: readonly GatewayServer[] = []
  beforeAll(async () => {
    if ('missing' in etcd) return
    const postgres = stack.use(await startPostgres(18))
    const started = [
      await startEtcd(etcd.path, ...FLAGS),
      await startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema(), args: FLAGS }),
    ]
    for (const server of started) stack.use(server)
    servers = started
  })
  afterAll(() => stack.disposeAsync())

  it.each(SCENARIOS)('$name', async ({ steps }) => {
    if ('missing' in etcdctl) return
    const transcripts = await Promise.all(
      servers.map(async ({ gateway: { url } }, at) => {
        const destination = servers[1 - at]?.gateway.url ?? ''
        const names = { directory: temporaryDir('etcdctl'), destination }
        const session = new Session(etcdctl.path, url, names)
        return normalise((await session.take(steps)).join('\n'), names)
      }),
    )
    const [ofEtcd, ofEdgetcd] = transcripts
    expect(ofEdgetcd).toBe(ofEtcd)
  })

  it.skipIf(process.env.EDGETCD_CHECK_PERF === undefined)(
    'check perf, for a minute (with EDGETCD_CHECK_PERF)',
    async () => {
      const [, edgetcd] = servers
      if ('missing' in etcdctl || edgetcd === undefined) return
      const session = new Session(etcdctl.path, edgetcd.gateway.url, {}, 100_000)
      expect(await session.take([{ run: 'check perf' }])).toEqual([
        expect.stringMatching(/\nPASS\n[\s\S]*exit 0/),
      ])
    },
  )
})
