import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Edgetcd, type EdgetcdOptions, startEdgetcd } from '../../support/edgetcd.ts'
import { type Etcd, startEtcd } from '../../support/etcd.ts'
import type { Postgres } from '../../support/postgres.ts'

/** A server as the program's checks need it: something can be done to it. */
export interface Host extends AsyncDisposable {
  readonly url: string
  /** Ends it and starts it again where it was. */
  restart(): Promise<void>
  /** In MiB. */
  memory(): Promise<number>
}

export async function etcdHost(path: string, flags: readonly string[]): Promise<Host> {
  const etcd: Etcd = await startEtcd(path, ...flags)
  return {
    url: etcd.gateway.url,
    restart: () => etcd.restart(),
    memory: () => residentMiB(etcd.pid),
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  }
}

export async function edgetcdHost(postgres: Postgres, args: readonly string[]): Promise<Host> {
  const options: EdgetcdOptions = { databaseUrl: postgres.url, schema: postgres.freshSchema(), args }
  let server: Edgetcd = await startEdgetcd(options)
  const { url, port } = server
  return {
    url,
    async restart() {
      await server[Symbol.asyncDispose]()
      server = await startEdgetcd({ ...options, port })
    },
    memory: () => residentMiB(server.child.pid),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const run = promisify(execFile)

async function residentMiB(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout) / 1024
}
