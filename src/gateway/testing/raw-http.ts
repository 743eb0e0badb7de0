/** HTTP over a socket of its own: what a test needs to see of chunks, headers and ends, which clients hide. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Serves } from '../app.ts'
import type { Context } from '../context.ts'
import { createGateway, type Gateway } from '../node.ts'

export interface TestServer {
  readonly port: number
  readonly gateway: Gateway
  readonly server: Server
  close(): Promise<void>
}

/** Serves the context on a free port of the loopback. */
export async function startServer(context: Context, serves: Serves = 'all'): Promise<TestServer> {
  const gateway = createGateway(context, serves)
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, gateway.listener)
  server.on('upgrade', (incoming, socket, head) => gateway.upgrade(server, incoming, socket, head))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    gateway,
    server,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
}

/** One connection, on which requests are written as text and answers are read piece by piece. */
export class RawConnection {
  readonly socket: Socket
  #received = ''
  #ended = false
  #wake: () => void = () => {}

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => {
      this.#received += text
      this.#wake()
    })
    this.socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  /** Writes a request; with an `open` body its length is left open, and `sendChunk` goes on. */
  request(method: string, target: string, headers: Record<string, string>, body?: string | 'open'): void {
    const length: Record<string, string> =
      body === 'open'
        ? { 'Transfer-Encoding': 'chunked' }
        : body === undefined
          ? {}
          : { 'Content-Length': String(Buffer.byteLength(body)) }
    const lines = Object.entries({ Host: 'test', ...length, ...headers }).map(([k, v]) => `${k}: ${v}\r\n`)
    this.socket.write(
      `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body === 'open' ? '' : (body ?? '')}`,
    )
  }

  sendChunk(text: string): void {
    this.socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  }

  endChunks(): void {
    this.socket.write('0\r\n\r\n')
  }

  /** The status line and the headers of the next answer, by their names in lower case. */
  async readHead(): Promise<RawAnswer> {
    const [first = '', ...lines] = (await this.#readUntil('\r\n\r\n')).split('\r\n')
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
    return { status: Number(first.split(' ')[1]), headers: new Map(headers) }
  }

  /** The next chunk of a chunked answer; empty at its end. */
  async readChunk(): Promise<string> {
    const length = Number.parseInt(await this.#readUntil('\r\n'), 16)
    return (await this.readBytes(length + 2)).slice(0, length)
  }

  async readBytes(length: number): Promise<string> {
    await this.#until(() => this.#received.length >= length)
    const bytes = this.#received.slice(0, length)
    this.#received = this.#received.slice(length)
    return bytes
  }

  /** A whole answer with a Content-Length. */
  async readAnswer(): Promise<RawAnswer & { body: string }> {
    const head = await this.readHead()
    return { ...head, body: await this.readBytes(Number(head.headers.get('content-length') ?? 0)) }
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#ended) await this.#more()
  }

  close(): void {
    this.socket.destroy()
  }

  async #readUntil(mark: string): Promise<string> {
    await this.#until(() => this.#received.includes(mark))
    const at = this.#received.indexOf(mark)
    const text = this.#received.slice(0, at)
    this.#received = this.#received.slice(at + mark.length)
    return text
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#ended) throw new Error(`the connection ended; unread: ${JSON.stringify(this.#received)}`)
      await this.#more()
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
