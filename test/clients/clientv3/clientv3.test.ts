import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { etcdBinary } from '../../support/etcd.ts'
import { clientv3Program } from '../../support/go-clients.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { edgetcdHost, etcdHost, type Host } from './host.ts'
import { runProgram } from './program.ts'

const [etcd, clientv3] = await Promise.all([etcdBinary(), clientv3Program()])
const missing = [etcd, clientv3].flatMap((program) => ('missing' in program ? [program.missing] : []))
for (const reason of missing) console.log(`skipped: ${reason}`)
const program = 'path' in clientv3 ? clientv3.path : ''

/** A token's life, in seconds, so that a check can outlive one; and passwords that are checked quickly. */
const FLAGS = ['--auth-token-ttl', '2', '--bcrypt-cost', '4']

/** What 5,000 watches of one client and their events may take of memory; measured: 21 to 65 MiB. */
const MANY_WATCHES_MIB = 100

/** Those beside which others may run come first; in each, one part runs after another. */
const TOGETHER = [
  ['kv', 'errors', 'watch', 'maintenance'],
  ['lease', 'recipes', 'layers'],
]

describe.skipIf(missing.length > 0)("programs on etcd's Go client", () => {
  let postgres: Postgres
  let hosts: Readonly<Record<'etcd' | 'edgetcd', Host>>
  beforeAll(async () => {
    if ('missing' in etcd) return
    postgres = await startPostgres(18)
    hosts = { etcd: await etcdHost(etcd.path, FLAGS), edgetcd: await edgetcdHost(postgres, FLAGS) }
  })
  afterAll(async () => {
    await hosts?.etcd[Symbol.asyncDispose]()
    await hosts?.edgetcd[Symbol.asyncDispose]()
    await postgres?.[Symbol.asyncDispose]()
  })

  /** No check has failed, and there were so many. */
  function expectAll(lines: readonly string[], count: number): void {
    expect(lines.filter((line) => !line.startsWith('ok '))).toEqual([])
    expect(lines).toHaveLength(count)
  }

  describe.each(['etcd', 'edgetcd'] as const)('against %s', (name) => {
    it('calls, watches, leases and the recipes', async () => {
      const { url } = hosts[name]
      const lines = await Promise.all(TOGETHER.map((parts) => runProgram(program, url, parts)))
      expectAll(lines.flat(), 31)
    })

    it('users and their tokens', async () => {
      expectAll(await runProgram(program, hosts[name].url, ['auth']), 2)
    })

    it('5,000 watches of one client in bounded memory', async () => {
      const host = hosts[name]
      const measured: number[] = []
      const measure = async () => {
        measured.push(await host.memory())
      }
      expectAll(await runProgram(program, host.url, ['many'], { measure }), 1)
      const [before = 0, , after = 0] = measured
      console.log(`${name}, MiB before, with 5,000 watches, after 5,000 events: ${measured.map(Math.round)}`)
      expect(after - before).toBeLessThan(MANY_WATCHES_MIB)
    })

    it('the server is started anew', async () => {
      const host = hosts[name]
      expectAll(await runProgram(program, host.url, ['restart'], { restart: () => host.restart() }), 1)
    })
  })

  it('the database is away', async () => {
    const favours = { outage: () => postgres.stop('fast'), recover: () => postgres.start() }
    expectAll(await runProgram(program, hosts.edgetcd.url, ['outage'], favours), 1)
  })
})
