import { connect, type Socket } from 'node:net'

/** The head of an answer, with header names in lower case. */
export interface Head {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
}

export interface WholeAnswer extends Head {
  /** The body as JSON; undefined when there is none. */
  readonly body: unknown
}

const READ_TIMEOUT_MS = 10_000

/**
 * A connection as lua-resty-http has it: it writes requests of HTTP/1.1 with no more headers than they need, no
 * Content-Type among them, and reads an answer by its Content-Length or chunk by chunk, as the bytes come off the wire.
 */
export class Connection {
  readonly #socket: Socket
  readonly #host: string
  #received = Buffer.alloc(0)
  #ended = false
  #wake: (() => void) | undefined

  private constructor(socket: Socket, host: string) {
    this.#socket = socket
    this.#host = host
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#wake?.()
    })
    const end = () => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('error', end)
    socket.on('close', end)
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket, `127.0.0.1:${port}`)))
      socket.once('error', reject)
    })
  }

  /** Whether the server has left it open, with nothing on it that nobody asked for. */
  get reusable(): boolean {
    return !this.#ended && this.#received.length === 0
  }

  /** Writes a request and reads the head of its answer. Without a `body` there is no Content-Length either. */
  async send(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<Head> {
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `Host: ${this.#host}`,
      'User-Agent: lua-resty-http/0.16.1 (Lua) ngx_lua/10021',
      ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ]
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
    return this.#readHead()
  }

  /** A request with its whole answer. */
  async request(
    method: string,
    path: string,
    body?: string,
    headers?: Record<string, string>,
  ): Promise<WholeAnswer> {
    const head = await this.send(method, path, body, headers)
    const text = await this.#readBody(head)
    return { ...head, body: text === '' ? undefined : JSON.parse(text) }
  }

  /** The next chunk of a chunked answer; undefined after the last one. */
  async readChunk(): Promise<string | undefined> {
    const size = Number.parseInt(await this.#readLine(), 16)
    if (Number.isNaN(size)) throw new Error('the size of a chunk is no number')
    const chunk = await this.#readBytes(size)
    if ((await this.#readLine()) !== '') throw new Error('a chunk is longer than its size')
    return size === 0 ? undefined : chunk
  }

  close(): void {
    this.#socket.destroy()
  }

  async #readHead(): Promise<Head> {
    const line = await this.#readLine()
    const status = /^HTTP\/1\.1 (\d{3}) \S/.exec(line)?.[1]
    if (status === undefined) throw new Error(`no status line: ${line}`)
    const headers = new Map<string, string>()
    for (let header = await this.#readLine(); header !== ''; header = await this.#readLine()) {
      const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(header) ?? []
      if (name === undefined || value === undefined) throw new Error(`no header: ${header}`)
      headers.set(name.toLowerCase(), value)
    }
    return { status: Number(status), headers }
  }

  async #readBody({ headers }: Head): Promise<string> {
    const length = headers.get('content-length')
    if (length !== undefined) return this.#readBytes(Number(length))
    if (headers.get('transfer-encoding') !== 'chunked') throw new Error('an answer has no length')
    let body = ''
    for (let chunk = await this.readChunk(); chunk !== undefined; chunk = await this.readChunk())
      body += chunk
    return body
  }

  async #readLine(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf('\r\n')
      if (end >= 0) return this.#take(end + 2).slice(0, -2)
      await this.#more()
    }
  }

  async #readBytes(count: number): Promise<string> {
    while (this.#received.length < count) await this.#more()
    return this.#take(count)
  }

  #take(count: number): string {
    const taken = this.#received.subarray(0, count).toString('utf8')
    this.#received = this.#received.subarray(count)
    return taken
  }

  /** Resolves when more bytes have come. Rejects at the connection's end, and after a time, as `closed` and `timeout`. */
  #more(): Promise<void> {
    if (this.#ended) return Promise.reject(new Error('closed'))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('timeout')), READ_TIMEOUT_MS)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}
