import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy that a test lets misbehave. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** Every connection is reset. New ones work. */
  reset(): void
  /** Nothing gets through any more, in both directions; new connections are accepted and stay silent. */
  silence(): void
  /** What was held back goes through, late. */
  resume(): void
  /**
   * Every connection loses its far end without being told: the server sees it close, the client sees nothing, ever.
   * What the client had sent has arrived. New connections work.
   */
  halfOpen(): void
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

/** Starts a proxy of a port of this machine on a free port. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let silent = false
  const hush = ({ near, far }: Pair) => {
    near.pause()
    far.pause()
  }
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1')
    const pair = { near, far }
    pairs.add(pair)
    forward(near, far)
    forward(far, near)
    near.on('close', () => pairs.delete(pair))
    if (silent) hush(pair)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    reset() {
      for (const { near, far } of pairs) {
        near.resetAndDestroy()
        far.resetAndDestroy()
      }
    },
    silence() {
      silent = true
      for (const pair of pairs) hush(pair)
    },
    resume() {
      silent = false
      for (const { near, far } of pairs) {
        near.resume()
        far.resume()
      }
    },
    halfOpen() {
      for (const { near, far } of pairs) {
        near.removeAllListeners('data')
        far.removeAllListeners('close')
        near.resume()
        far.destroy()
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { near, far } of pairs) {
        near.destroy()
        far.destroy()
      }
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Passes on what comes, and the end of it. */
function forward(from: Socket, to: Socket): void {
  from.on('data', (data: Buffer) => {
    if (!to.destroyed) to.write(data)
  })
  from.on('error', () => {})
  from.on('close', () => to.destroy())
}
