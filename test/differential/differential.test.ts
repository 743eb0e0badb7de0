import { afterAll, beforeAll, describe, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary, startEtcd } from '../support/etcd.ts'
import { POSTGRES_VERSIONS, type Postgres, postgresMissing, startPostgres } from '../support/postgres.ts'
import { chosenSeed } from '../support/random.ts'
import { authOperations } from './auth-generator.ts'
import type { Pair } from './history.ts'
import { expectNoDifference, freshPair } from './judge.ts'
import { type Outcome, replay, runRandom, type Trial } from './run.ts'

/** EDGETCD_SEED replays what a failure printed; EDGETCD_RUNS and EDGETCD_OPERATIONS look further. */
const seed = chosenSeed()
const runs = Number(process.env.EDGETCD_RUNS ?? 12)
const authRuns = Math.ceil(runs / 4)
const operations = Number(process.env.EDGETCD_OPERATIONS ?? 250)

/** A physical compaction gives the watches of all servers time to look: here that need not be long. */
const LOOKS_OFTEN = ['--poll-interval', '20ms']

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

function trial(
  seed: number,
  fresh: () => Promise<Pair & AsyncDisposable>,
  run: (pair: Pair) => Promise<Outcome>,
): Trial {
  return { fresh, run, replay: (pair, operations) => replay(pair, operations, seed) }
}

describe.skipIf('missing' in etcd)(`the same random operations (seed ${seed}) to etcd and`, () => {
  const postgresOf: Postgres[] = []
  beforeAll(async () => {
    const versions = POSTGRES_VERSIONS.filter((version) => !postgresMissing(version))
    for (const version of versions) postgresOf.push(await startPostgres(version))
  })
  afterAll(async () => {
    for (const postgres of postgresOf) await postgres[Symbol.asyncDispose]()
  })

  /** On each PostgreSQL in turn: the same seed has the same. */
  const withEdgetcd = (run: number) => () => {
    const postgres = postgresOf[run % postgresOf.length] as Postgres
    return freshPair(path, () =>
      startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema(), args: LOOKS_OFTEN }),
    )
  }

  it('another etcd: the comparison itself is sound', { timeout: 180_000 }, () =>
    expectNoDifference(
      trial(
        seed,
        () => freshPair(path, () => startEtcd(path)),
        (pair) => runRandom(pair, seed, operations),
      ),
      seed,
    ),
  )

  for (let run = seed; run < seed + runs; run++) {
    it(`edgetcd, seed ${run}: equal answers, history, events and hashes`, { timeout: 180_000 }, () =>
      expectNoDifference(
        trial(run, withEdgetcd(run), (pair) => runRandom(pair, run, operations)),
        run,
      ),
    )
  }

  for (let run = seed; run < seed + authRuns; run++) {
    it(`edgetcd, seed ${run}: equal answers of user and role management`, { timeout: 180_000 }, () =>
      expectNoDifference(
        trial(run, withEdgetcd(run), (pair) => replay(pair, authOperations(run, operations), run)),
        run,
      ),
    )
  }
})
