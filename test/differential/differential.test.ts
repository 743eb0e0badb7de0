import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../support/etcd.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { chosenSeed } from '../support/random.ts'
import type { Pair } from './history.ts'
import { type Outcome, runRandom, shrink } from './run.ts'

/** EDGETCD_SEED replays what a failure printed; EDGETCD_RUNS and EDGETCD_OPERATIONS look further. */
const seed = chosenSeed()
const runs = Number(process.env.EDGETCD_RUNS ?? 12)
const operations = Number(process.env.EDGETCD_OPERATIONS ?? 250)

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

async function freshPair(startCandidate: () => Promise<GatewayServer>): Promise<Pair & AsyncDisposable> {
  const [reference, candidate] = await Promise.all([startEtcd(path), startCandidate()])
  return {
    reference,
    candidate,
    async [Symbol.asyncDispose]() {
      await Promise.all([reference[Symbol.asyncDispose](), candidate[Symbol.asyncDispose]()])
    },
  }
}

function report({ operations, difference }: Outcome, failedSeed: number): string {
  return [
    `EDGETCD_SEED=${failedSeed} differs in ${difference?.what}`,
    `etcd:    ${JSON.stringify(difference?.reference)}`,
    `edgetcd: ${JSON.stringify(difference?.candidate)}`,
    `after these ${operations.length} operations:`,
    ...operations.map((operation) => JSON.stringify(operation)),
  ].join('\n')
}

async function expectNoDifference(
  fresh: () => Promise<Pair & AsyncDisposable>,
  runSeed: number,
): Promise<void> {
  await using pair = await fresh()
  const outcome = await runRandom(pair, runSeed, operations)
  if (!outcome.difference) return
  const smallest = await shrink(fresh, outcome, runSeed, 60_000)
  expect.fail(report(smallest, runSeed))
}

describe.skipIf('missing' in etcd)(`the same random operations (seed ${seed}) to etcd and`, () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  it('another etcd: the comparison itself is sound', { timeout: 180_000 }, () =>
    expectNoDifference(() => freshPair(() => startEtcd(path)), seed),
  )

  for (let run = 0; run < runs; run++) {
    it(`edgetcd, seed ${seed + run}: equal answers, history, events and hashes`, { timeout: 180_000 }, () =>
      expectNoDifference(
        () => freshPair(() => startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })),
        seed + run,
      ),
    )
  }
})
