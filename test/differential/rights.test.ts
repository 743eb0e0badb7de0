import { afterAll, beforeAll, describe, it } from 'vitest'
import { etcdBinary } from '../support/etcd.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { expectNoDifference, freshRightsServers } from './judge.ts'
import { rightsOperations } from './rights-generator.ts'
import { type RightsOperation, type RightsServers, runRights } from './rights-run.ts'
import type { Trial } from './run.ts'

/** The same seeds each time. EDGETCD_SEED begins elsewhere; EDGETCD_RUNS and EDGETCD_OPERATIONS look further. */
const seed = Number(process.env.EDGETCD_SEED ?? 1)
const runs = Number(process.env.EDGETCD_RUNS ?? 6)
const operations = Number(process.env.EDGETCD_OPERATIONS ?? 250)

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

describe.skipIf('missing' in etcd)(`authentication on: the same requests to etcd (seed ${seed}) and`, () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  function trial(run: number, count: number): Trial<RightsServers, RightsOperation> {
    return {
      fresh: () => freshRightsServers(path, postgres, count),
      run: (servers) => runRights(servers, rightsOperations(run, operations, count)),
      replay: (servers, known) => runRights(servers, (_, sent) => known[sent]),
    }
  }

  for (let run = seed; run < seed + runs; run++) {
    const count = 1 + (run % 2)
    it(`${count} edgetcd, seed ${run}: equal answers to every caller`, { timeout: 180_000 }, () =>
      expectNoDifference(trial(run, count), run),
    )
  }
})
