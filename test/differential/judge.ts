import { expect } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { type GatewayServer, startEtcd } from '../support/etcd.ts'
import type { Postgres } from '../support/postgres.ts'
import type { Operation } from './generator.ts'
import type { Pair } from './history.ts'
import type { RightsServers } from './rights-run.ts'
import { type Outcome, shrink, type Trial } from './run.ts'

/** An etcd and what `startCandidate` starts, both on an empty store. */
export async function freshPair(
  etcdPath: string,
  startCandidate: () => Promise<GatewayServer>,
): Promise<Pair & AsyncDisposable> {
  const [reference, candidate] = await Promise.all([startEtcd(etcdPath), startCandidate()])
  return {
    reference,
    candidate,
    async [Symbol.asyncDispose]() {
      await Promise.all([reference[Symbol.asyncDispose](), candidate[Symbol.asyncDispose]()])
    },
  }
}

/** An etcd that hashes passwords fast, and so many edgetcds on one database, all on an empty store. */
export async function freshRightsServers(
  etcdPath: string,
  postgres: Postgres,
  count: number,
): Promise<RightsServers & AsyncDisposable> {
  const options = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
  const reference = startEtcd(etcdPath, '--bcrypt-cost=4')
  const candidates: GatewayServer[] = []
  while (candidates.length < count) candidates.push(await startEdgetcd(options))
  const servers = { reference: await reference, candidates }
  return {
    ...servers,
    async [Symbol.asyncDispose]() {
      const all = [servers.reference, ...candidates]
      await Promise.all(all.map((server) => server[Symbol.asyncDispose]()))
    },
  }
}

function report({ operations, difference }: Outcome<Operation>, failedSeed: number): string {
  return [
    `EDGETCD_SEED=${failedSeed} differs in ${difference?.what}`,
    `etcd:    ${JSON.stringify(difference?.reference)}`,
    `edgetcd: ${JSON.stringify(difference?.candidate)}`,
    `after these ${operations.length} operations:`,
    ...operations.map((operation) => JSON.stringify(operation)),
  ].join('\n')
}

/** Fails with the fewest operations found that make the two differ, when the trial's run finds a difference. */
export async function expectNoDifference<P, O extends Operation>(
  trial: Trial<P, O>,
  seed: number,
): Promise<void> {
  await using servers = await trial.fresh()
  const outcome = await trial.run(servers)
  if (!outcome.difference) return
  const smallest = await shrink(trial, outcome, 60_000)
  expect.fail(report(smallest, seed))
}
