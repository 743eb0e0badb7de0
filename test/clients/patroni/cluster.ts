import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Edgetcd, startEdgetcd } from '../../support/edgetcd.ts'
import type { JsonObject } from '../../support/gateway.ts'
import { temporaryDir } from '../../support/paths.ts'
import { freePorts } from '../../support/ports.ts'
import { startPostgres } from '../../support/postgres.ts'
import { PatroniNode } from './node.ts'
import type { Programs } from './programs.ts'

export interface ClusterOptions {
  /** More flags of both edgetcds. */
  readonly args?: readonly string[]
  /** More of Patroni's `etcd3` section. */
  readonly etcd3?: JsonObject
}

/** Two nodes of Patroni that know two edgetcds on one PostgreSQL, which isn't theirs. */
export interface Cluster extends AsyncDisposable {
  readonly alpha: PatroniNode
  readonly beta: PatroniNode
  /** The edgetcds that run now. */
  readonly edgetcds: [Edgetcd, Edgetcd]
  /** Ends one of them by a signal. */
  endEdgetcd(index: 0 | 1, signal: NodeJS.Signals): Promise<void>
  /** Starts it again, on the same port. */
  restartEdgetcd(index: 0 | 1): Promise<void>
  /** Makes `to` the leader by patronictl; gives what that printed. */
  switchOver(from: PatroniNode, to: PatroniNode): Promise<string>
}

/** Starts both edgetcds; Patroni's nodes aren't started yet. Disposing of it ends all. */
export async function startCluster(programs: Programs, options: ClusterOptions = {}): Promise<Cluster> {
  const database = await startPostgres(18)
  const schema = database.freshSchema()
  const dir = temporaryDir('patroni')
  const ports = await freePorts(2)
  const [one = 0, two = 0] = ports
  // Patroni takes its list of servers from what any of them advertises.
  const urls = ports.map((port) => `http://127.0.0.1:${port}`).join(',')
  const args = ['--advertise-client-urls', urls, ...(options.args ?? [])]
  const start = (port: number) => startEdgetcd({ databaseUrl: database.url, schema, port, args })
  const edgetcds: [Edgetcd, Edgetcd] = [await start(one), await start(two)]
  const etcd3 = { hosts: [`127.0.0.1:${one}`], ...options.etcd3 }
  const alpha = await PatroniNode.create(programs, dir, 'alpha', etcd3)
  const beta = await PatroniNode.create(programs, dir, 'beta', etcd3)
  return {
    alpha,
    beta,
    edgetcds,
    async endEdgetcd(index, signal) {
      const { child } = edgetcds[index]
      child.signal(signal)
      await child.exited
    },
    async restartEdgetcd(index) {
      edgetcds[index] = await start(edgetcds[index].port)
    },
    async switchOver(from, to) {
      const words = ['switchover', '--leader', from.name, '--candidate', to.name, '--force']
      const args = ['-c', from.configFile, ...words]
      return (await promisify(execFile)(join(programs.bin, 'patronictl'), args)).stdout
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([alpha[Symbol.asyncDispose](), beta[Symbol.asyncDispose]()])
      await Promise.all(edgetcds.map((edgetcd) => edgetcd[Symbol.asyncDispose]()))
      await database[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
