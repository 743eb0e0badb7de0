import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Passes requests on to a server, and remembers which ones came. */
export interface CountingProxy extends AsyncDisposable {
  readonly url: string
  /** The targets of all requests so far, in the order of their arrival. */
  readonly targets: readonly string[]
}

/** Starts a proxy before the server at `url`, on a free port. */
export async function startCountingProxy(url: string): Promise<CountingProxy> {
  const agent = new Agent({ keepAlive: true })
  const targets: string[] = []
  const server = createServer((incoming, outgoing) => {
    targets.push(incoming.url ?? '')
    const { method, headers } = incoming
    const passed = request(new URL(incoming.url ?? '/', url), { agent, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    outgoing.on('close', () => passed.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    async [Symbol.asyncDispose]() {
      agent.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
