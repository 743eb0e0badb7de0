import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gateway } from '../../support/gateway.ts'
import { prefixRange } from '../../support/watching.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { type PatroniNode, TTL_SECONDS } from './node.ts'
import { patroniPrograms } from './programs.ts'

const programs = await patroniPrograms()
if ('missing' in programs) console.log(`skipped: ${programs.missing}`)

/** A lease's end shows within a second; Patroni's election takes up to four more, and longer on a busy machine. */
const FAILOVER_MS = (TTL_SECONDS + 10) * 1000

describe.skipIf('missing' in programs)('a Patroni cluster of two nodes', () => {
  if ('missing' in programs) return
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster(programs)
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  it('bootstraps: one leads, the other is made from it and follows', () => bootstrap(cluster))

  it('switches over, by patronictl', async () => {
    const { alpha, beta } = cluster
    expect(await cluster.switchOver(alpha, beta)).toContain('Successfully switched over to "beta"')
    await eventually('beta leads', () => beta.leads(), beta)
    await eventually('alpha follows', () => alpha.follows(), alpha)
    await write(beta)
    await eventually('alpha has it', async () => (await written(alpha)).includes('beta'), alpha)
  })

  it('goes on when an edgetcd is killed, and when the other is started again', async () => {
    const { alpha, beta } = cluster
    const before = await beta.status()
    await cluster.endEdgetcd(0, 'SIGKILL')
    await seenSince(Date.now(), alpha, beta)
    await cluster.restartEdgetcd(0)
    await cluster.endEdgetcd(1, 'SIGTERM')
    await seenSince(Date.now(), alpha, beta)
    await cluster.restartEdgetcd(1)
    expect(beta.log()).not.toMatch(DEMOTED)
    await eventually('beta leads', () => beta.leads(), beta)
    expect((await beta.status())?.timeline).toBe(before?.timeline)
    await eventually('alpha follows', () => alpha.follows(), alpha)
  })

  it('fails over when the leader is killed, and takes it back as a follower', async () => {
    const { alpha, beta } = cluster
    const killed = Date.now()
    await beta.kill()
    await eventually('alpha leads', () => alpha.leads(), alpha, FAILOVER_MS)
    const seconds = ((Date.now() - killed) / 1000).toFixed(1)
    console.log(`failover after ${seconds} s, the lease being ${TTL_SECONDS} s`)
    await write(alpha)
    beta.start()
    await eventually('beta follows', () => beta.follows(), beta)
    await eventually('beta has all', async () => (await written(beta)).length === 3, beta)
    expect(await written(beta)).toEqual(['alpha', 'beta', 'alpha'])
  })
})

describe.skipIf('missing' in programs)('a Patroni cluster that has to say who it is', () => {
  if ('missing' in programs) return
  const TOKEN_SECONDS = 3
  const patroni = { username: 'patroni', password: 'prefix only' }
  let cluster: Cluster
  beforeAll(async () => {
    const args = ['--auth-token-ttl', String(TOKEN_SECONDS)]
    cluster = await startCluster(programs, { args, etcd3: patroni })
    await requireAuthentication(cluster.edgetcds[0].gateway, patroni)
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  it('bootstraps with a user who may touch nothing but the cluster’s own keys', () => bootstrap(cluster))

  it('asks for a new token each time one has run out, and nobody is demoted', async () => {
    const { alpha, beta } = cluster
    const renewals = (node: PatroniNode) => node.log().split('Trying to authenticate on Etcd...').length - 2
    for (const node of [alpha, beta]) {
      await eventually(`${node.name} has a third token`, async () => renewals(node) >= 2, node)
    }
    expect(alpha.log()).toContain('Invalid auth token')
    expect(await alpha.leads()).toBe(true)
    expect(alpha.log()).not.toMatch(DEMOTED)
    expect(await beta.follows()).toBe(true)
  })

  it('switches over, by patronictl', async () => {
    const { alpha, beta } = cluster
    expect(await cluster.switchOver(alpha, beta)).toContain('Successfully switched over to "beta"')
    await eventually('beta leads', () => beta.leads(), beta)
  })
})

const DEMOTED = /demot(?:ed|ing)/

/** Starts alpha, which becomes the leader, then beta, which copies it; what is written to the one comes to the other. */
async function bootstrap({ alpha, beta }: Cluster): Promise<void> {
  alpha.start()
  await eventually('alpha leads', () => alpha.leads(), alpha)
  beta.start()
  await eventually('beta follows', () => beta.follows(), beta)
  await alpha.query('create table written (by text)')
  await write(alpha)
  await eventually('beta has it', async () => (await written(beta)).includes('alpha'), beta)
}

/** Makes a root user, and a user for Patroni who may read and write below /service/, and switches authentication on. */
async function requireAuthentication(
  gateway: Gateway,
  { username, password }: { username: string; password: string },
): Promise<void> {
  await gateway.ok('/v3/auth/user/add', { name: 'root', password: 'root' })
  await gateway.ok('/v3/auth/user/grant', { user: 'root', role: 'root' })
  await gateway.ok('/v3/auth/user/add', { name: username, password })
  await gateway.ok('/v3/auth/role/add', { name: 'service' })
  const perm = { permType: 'READWRITE', ...prefixRange('/service/') }
  await gateway.ok('/v3/auth/role/grant', { name: 'service', perm })
  await gateway.ok('/v3/auth/user/grant', { user: username, role: 'service' })
  await gateway.ok('/v3/auth/enable', {})
}

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
