import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Edgetcd, startEdgetcd } from '../../support/edgetcd.ts'
import { temporaryDir } from '../../support/paths.ts'
import { freePorts } from '../../support/ports.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { PatroniNode, TTL_SECONDS } from './node.ts'
import { patroniPrograms } from './programs.ts'

const programs = await patroniPrograms()
if ('missing' in programs) console.log(`skipped: ${programs.missing}`)

/** A lease's end shows within a second; Patroni's election takes up to four more, and longer on a busy machine. */
const FAILOVER_MS = (TTL_SECONDS + 10) * 1000

describe.skipIf('missing' in programs)('a Patroni cluster of two nodes', () => {
  if ('missing' in programs) return
  let database: Postgres
  let schema: string
  let dir: string
  let first: Edgetcd
  let second: Edgetcd
  let alpha: PatroniNode
  let beta: PatroniNode

  /** An edgetcd that names both addresses to Patroni, which takes its list of servers from them. */
  const edgetcdOn = (port: number, ports: readonly number[]) => {
    const urls = ports.map((each) => `http://127.0.0.1:${each}`).join(',')
    const args = ['--advertise-client-urls', urls]
    return startEdgetcd({ databaseUrl: database.url, schema, port, args })
  }
  const ports = () => [first.port, second.port]

  beforeAll(async () => {
    database = await startPostgres(18)
    schema = database.freshSchema()
    dir = temporaryDir('patroni')
    const [one = 0, two = 0] = await freePorts(2)
    first = await edgetcdOn(one, [one, two])
    second = await edgetcdOn(two, [one, two])
    const etcd3 = { hosts: [`127.0.0.1:${one}`] }
    alpha = await PatroniNode.create(programs, dir, 'alpha', etcd3)
    beta = await PatroniNode.create(programs, dir, 'beta', etcd3)
  })
  afterAll(async () => {
    await Promise.all([alpha?.[Symbol.asyncDispose](), beta?.[Symbol.asyncDispose]()])
    await first?.[Symbol.asyncDispose]()
    await second?.[Symbol.asyncDispose]()
    await database?.[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true, force: true })
  })

  it('bootstraps: one leads, the other is made from it and follows', async () => {
    alpha.start()
    await eventually('alpha leads', () => alpha.leads(), alpha)
    beta.start()
    await eventually('beta follows', () => beta.follows(), beta)
    await alpha.query('create table written (by text)')
    await write(alpha)
    await eventually('beta has it', async () => (await written(beta)).includes('alpha'), beta)
  })

  it('switches over, by patronictl', async () => {
    const words = ['switchover', '--leader', 'alpha', '--candidate', 'beta', '--force']
    const args = ['-c', alpha.configFile, ...words]
    const { stdout } = await promisify(execFile)(join(programs.bin, 'patronictl'), args)
    expect(stdout).toContain('Successfully switched over to "beta"')
    await eventually('beta leads', () => beta.leads(), beta)
    await eventually('alpha follows', () => alpha.follows(), alpha)
    await write(beta)
    await eventually('alpha has it', async () => (await written(alpha)).includes('beta'), alpha)
  })

  it('goes on when an edgetcd is killed, and when the other is started again', async () => {
    const before = await beta.status()
    first.child.signal('SIGKILL')
    await first.child.exited
    await seenSince(Date.now(), alpha, beta)
    first = await edgetcdOn(first.port, ports())
    second.child.signal('SIGTERM')
    await second.child.exited
    await seenSince(Date.now(), alpha, beta)
    second = await edgetcdOn(second.port, ports())
    expect(await beta.leads()).toBe(true)
    expect((await beta.status())?.timeline).toBe(before?.timeline)
    expect(beta.log()).not.toMatch(/demot(?:ed|ing)/)
    expect(await alpha.follows()).toBe(true)
  })

  it('fails over when the leader is killed, and takes it back as a follower', async () => {
    const killed = Date.now()
    await beta.kill()
    await eventually('alpha leads', () => alpha.leads(), alpha, FAILOVER_MS)
    console.log(
      `failover after ${((Date.now() - killed) / 1000).toFixed(1)} s, the lease being ${TTL_SECONDS} s`,
    )
    await write(alpha)
    beta.start()
    await eventually('beta follows', () => beta.follows(), beta)
    await eventually('beta has all', async () => (await written(beta)).length === 3, beta)
    expect(await written(beta)).toEqual(['alpha', 'beta', 'alpha'])
  })
})

/** Writes the node's name into its PostgreSQL. */
async function write(node: PatroniNode): Promise<void> {
  const done = await node.query(`insert into written values ('${node.name}')`)
  expect(done?.rowCount, `${node.name} takes a write`).toBe(1)
}

/** The names that were written, in that order, as this node's PostgreSQL has them. */
async function written(node: PatroniNode): Promise<string[]> {
  const found = await node.query('select by from written order by ctid')
  return (found?.rows ?? []).map((row: { by: string }) => row.by)
}

/** Resolves when each node has spoken with edgetcd after `sinceMs`. */
async function seenSince(sinceMs: number, ...nodes: readonly PatroniNode[]): Promise<void> {
  for (const node of nodes) {
    const seen = async () => ((await node.status())?.dcs_last_seen ?? 0) * 1000 > sinceMs
    await eventually(`${node.name} spoke with edgetcd`, seen, node)
  }
}

/** Asks every 50 ms until it holds; fails after `timeoutMs` with what the node has printed. */
async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  node: PatroniNode,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not after ${timeoutMs} ms: ${what}\n${node.log()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
