import { join } from 'node:path'
import { type Authority, makeAuthority } from '../../src/tls/testing/certificates.ts'
import { cleanEnvironment } from '../support/edgetcd.ts'
import { projectRoot } from '../support/paths.ts'
import { freePorts } from '../support/ports.ts'
import { startPostgres } from '../support/postgres.ts'
import { type Child, startProcess, waitUntilReady } from '../support/process.ts'
import type { Check, Cluster } from './check.ts'
import { makeClusterFiles, startApiserver } from './control-plane.ts'
import { amidWrites } from './crash.ts'

/** An apiserver with more than one server to turn to. */
export const FAILOVER_CHECKS: readonly Check[] = [
  {
    name: 'an apiserver with a client certificate goes on while each of its two edgetcds is killed in turn',
    run: eachIsKilled,
  },
]

async function eachIsKilled({ programs }: Cluster): Promise<string> {
  using authority = makeAuthority()
  await using postgres = await startPostgres(18, { durable: true })
  const servers: Server[] = []
  await using stack = new AsyncDisposableStack()
  for (const port of await freePorts(2)) {
    servers.push(stack.use(await Server.start(authority, postgres.url, port)))
  }
  const { certFile, keyFile } = authority.issue('apiserver')
  const { api } = stack.use(
    await startApiserver(
      ...([programs, makeClusterFiles(), servers.map(({ url }) => url).join(',')] as const),
      ...[`--etcd-cafile=${authority.caFile}`, `--etcd-certfile=${certFile}`, `--etcd-keyfile=${keyFile}`],
    ),
  )
  // Awaited here, for all of it ends with this function.
  return await amidWrites('failover', [api], async (more) => {
    for (const server of servers) {
      await server.kill()
      await more()
      await server.restart()
    }
    await more()
  })
}

/** An edgetcd that asks for client certificates, and can be killed. */
class Server implements AsyncDisposable {
  readonly url: string
  readonly #args: readonly string[]
  #child: Child

  private constructor(url: string, args: readonly string[]) {
    this.url = url
    this.#args = args
    this.#child = this.#run()
  }

  static async start(authority: Authority, databaseUrl: string, port: number): Promise<Server> {
    const { certFile, keyFile } = authority.issue(`edgetcd-${port}`, 'IP:127.0.0.1')
    const url = `https://127.0.0.1:${port}`
    const server = new Server(url, [
      ...['serve', '--database-url', databaseUrl, '--listen-client-urls', url],
      ...['--cert-file', certFile, '--key-file', keyFile, '--client-cert-auth'],
      ...['--trusted-ca-file', authority.caFile],
    ])
    await server.#ready()
    return server
  }

  async kill(): Promise<void> {
    this.#child.signal('SIGKILL')
    await this.#child.exited
  }

  async restart(): Promise<void> {
    this.#child = this.#run()
    await this.#ready()
  }

  #run(): Child {
    const args = [join(projectRoot, 'dist/cli.js'), ...this.#args]
    return startProcess(process.execPath, args, { env: cleanEnvironment() })
  }

  #ready(): Promise<void> {
    const listens = async () => this.#child.output().includes('listening on')
    return waitUntilReady('edgetcd', this.#child, listens)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop()
  }
}
