import { rmSync } from 'node:fs'
import { startOnHyperdrive } from '../hyperdrive/worker.ts'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../support/etcd.ts'
import { temporaryDir } from '../support/paths.ts'
import { type PostgresVersion, postgresMissing, startPostgres } from '../support/postgres.ts'
import { type WayName, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'
import { startYugabyteDbStandIn, type YugabyteDbOptions } from '../support/yugabytedb.ts'

/** One way to run edgetcd, as the compatibility table names it. */
export interface Deployment {
  readonly name: string
  readonly title: string
  /** Why it can't be tested on this machine. */
  readonly missing?: string | undefined
  /** Scenarios that can't pass there, with the reason. They run, and the table counts them as not passed. */
  readonly known?: Readonly<Record<string, string>>
  start(): Promise<GatewayServer>
}

type StartServer = (options: { databaseUrl: string; schema: string }) => Promise<GatewayServer>

function onPostgres(
  name: string,
  title: string,
  version: PostgresVersion,
  startServer: StartServer,
  known: Deployment['known'] = {},
): Deployment {
  return {
    known,
    name,
    title: `${title}, PostgreSQL ${version}`,
    missing: postgresMissing(version),
    async start() {
      const postgres = await startPostgres(version)
      const server = await startServer({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
      return {
        gateway: server.gateway,
        async [Symbol.asyncDispose]() {
          await server[Symbol.asyncDispose]()
          await postgres[Symbol.asyncDispose]()
        },
      }
    },
  }
}

const embedded: Deployment = {
  name: 'node-embedded',
  title: 'Node, embedded PostgreSQL',
  async start() {
    const dataDir = temporaryDir('embedded')
    const server = await startEdgetcd({ dataDir })
    return {
      gateway: server.gateway,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]()
        rmSync(dataDir, { recursive: true, force: true })
      },
    }
  },
}

/** YugabyteDB's dialect on a PostgreSQL that passes for it, under the isolation that READ COMMITTED is there. */
function onStandIn(name: string, isolation: string, options: YugabyteDbOptions): Deployment {
  return {
    name,
    title: `Node, YugabyteDB's dialect on PostgreSQL 18, ${isolation}`,
    missing: postgresMissing(18),
    async start() {
      const postgres = await startPostgres(18)
      const database = await startYugabyteDbStandIn(postgres, options)
      const server = await startEdgetcd({ databaseUrl: database.url })
      return {
        gateway: server.gateway,
        async [Symbol.asyncDispose]() {
          await server[Symbol.asyncDispose]()
          await database[Symbol.asyncDispose]()
          await postgres[Symbol.asyncDispose]()
        },
      }
    },
  }
}

/** What the Worker's role may not up to PostgreSQL 16. */
const ROLE_KNOWN = {
  'defragment and snapshot':
    "up to PostgreSQL 16 only a table's owner may defragment it, which the Worker isn't",
}

function onNode(version: PostgresVersion): Deployment {
  return onPostgres(`node-postgres-${version}`, 'Node', version, startEdgetcd)
}

function inWorkerd(name: string, title: string, version: PostgresVersion, way: WayName): Deployment {
  const start: StartServer = (options) => startWorkerd({ ...options, ...WORKER_WAYS[way] })
  return onPostgres(name, title, version, start, version < 17 ? ROLE_KNOWN : {})
}

/** Every deployment that CI tests. */
export const DEPLOYMENTS: readonly Deployment[] = [
  embedded,
  onNode(14),
  onNode(18),
  inWorkerd('workerd-postgres-14', 'workerd', 14, 'hyperdrive'),
  inWorkerd('workerd-postgres-18', 'workerd', 18, 'hyperdrive'),
  onPostgres('workerd-query-cache', 'workerd, query cache', 18, startOnHyperdrive),
  inWorkerd('workerd-neon', 'workerd, Neon', 18, 'neon'),
  inWorkerd('workerd-coordinator', 'workerd, Durable Object', 18, 'hyperdrive+coordinator'),
  inWorkerd('workerd-neon-coordinator', 'workerd, Neon, Durable Object', 18, 'neon+coordinator'),
  onStandIn('node-yugabytedb', 'READ COMMITTED', {}),
  onStandIn('node-yugabytedb-snapshots', 'snapshot isolation', { snapshotIsolation: true }),
]

/** etcd itself, to record answers from and to check the scenarios against; run only when it is named. */
export const REFERENCE: Deployment = {
  name: 'etcd',
  title: 'etcd',
  async start() {
    const etcd = await etcdBinary()
    if ('missing' in etcd) throw new Error(etcd.missing)
    return startEtcd(etcd.path)
  },
}
