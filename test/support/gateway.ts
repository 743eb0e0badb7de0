import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'

/** A JSON object as it goes over the wire: int64 as decimal strings, bytes as base64. */
export type JsonObject = { readonly [field: string]: Json }
export type Json = string | number | boolean | null | JsonObject | readonly Json[]

/** Names and values of a request's headers. */
export type Headers = Readonly<Record<string, string>>

export interface Answer {
  readonly status: number
  readonly body: JsonObject
}

/** The answers that tests look into, as the gateway spells them: what is zero or empty is left out. */
export interface KeyValueJson {
  readonly key: string
  readonly value?: string
  readonly create_revision: string
  readonly mod_revision: string
  readonly version: string
  readonly lease?: string
}
export interface HeaderJson {
  readonly cluster_id: string
  readonly member_id: string
  readonly revision: string
  readonly raft_term: string
}
export interface RangeAnswer {
  readonly header: HeaderJson
  readonly kvs?: readonly KeyValueJson[]
  readonly count?: string
  readonly more?: boolean
}
export interface TxnAnswer {
  readonly header: HeaderJson
  readonly succeeded?: boolean
  readonly responses?: readonly { readonly response_range?: RangeAnswer }[]
}

/** The bytes of a string, as base64. */
export const b64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')
/** The text of base64 bytes. */
export const text = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')

/** A client of an etcd JSON gateway, over keep-alive connections of its own. */
export class Gateway {
  readonly url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 })

  constructor(url: string) {
    this.url = url
  }

  /** One unary call. Rejects when there is no answer: connection refused, reset or `timeoutMs` passed. */
  call(
    path: string,
    body: JsonObject,
    options: { timeoutMs?: number; headers?: Headers } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const payload = JSON.stringify(body)
      const headers = { ...options.headers, 'content-length': String(Buffer.byteLength(payload)) }
      const sent = this.#request(path, headers, (response) => {
        readAll(response).then(
          (raw) => resolve({ status: response.statusCode ?? 0, body: parse(raw) }),
          reject,
        )
      })
      const timeoutMs = options.timeoutMs ?? 30_000
      sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`${path}: no answer after ${timeoutMs} ms`)))
      sent.on('error', reject)
      sent.end(payload)
    })
  }

  /** A unary call that has to succeed: its answer's body. */
  async ok<T = JsonObject>(path: string, body: JsonObject): Promise<T> {
    const answer = await this.call(path, body)
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body as T
  }

  /** The key's record now, or undefined when there is none. */
  async get(key: string): Promise<KeyValueJson | undefined> {
    const range = await this.ok<RangeAnswer>('/v3/kv/range', { key: b64(key) })
    return range.kvs?.[0]
  }

  /** Puts a text under a key; gives the revision. */
  async put(key: string, value: string): Promise<number> {
    const answer = await this.ok<RangeAnswer>('/v3/kv/put', { key: b64(key), value: b64(value) })
    return Number(answer.header.revision)
  }

  /** The status of a GET, or undefined when there is no answer. */
  status(path: string): Promise<number | undefined> {
    return new Promise((resolve) => {
      const sent = request(new URL(path, this.url), { agent: this.#agent, timeout: 5000 }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('timeout', () => sent.destroy())
      sent.on('error', () => resolve(undefined))
      sent.end()
    })
  }

  /** Opens a stream whose request is `bodies`, one JSON object after the other, and is then finished. */
  stream(path: string, ...bodies: JsonObject[]): JsonStream {
    return this.streamWith({}, path, ...bodies)
  }

  /** The same with more headers. */
  streamWith(headers: Headers, path: string, ...bodies: JsonObject[]): JsonStream {
    return new JsonStream((onResponse) => {
      const sent = request(
        new URL(path, this.url),
        { method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...headers } },
        onResponse,
      )
      sent.end(bodies.map((body) => JSON.stringify(body)).join('\n'))
      return sent
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  #request(path: string, headers: Headers, onResponse: (r: IncomingMessage) => void): ClientRequest {
    return request(
      new URL(path, this.url),
      { method: 'POST', agent: this.#agent, headers: { 'content-type': 'application/json', ...headers } },
      onResponse,
    )
  }
}

/** The lines of a streaming answer, in order. Iterating ends when the server ends the stream or it breaks. */
export class JsonStream implements AsyncIterable<JsonObject> {
  readonly #lines: JsonObject[] = []
  readonly #sent: ClientRequest
  #wake: (() => void) | undefined
  #ended = false
  #rest = ''
  #status: number | undefined

  constructor(open: (onResponse: (response: IncomingMessage) => void) => ClientRequest) {
    this.#sent = open((response) => {
      this.#status = response.statusCode
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => this.#take(chunk))
      response.on('close', () => this.#end())
    })
    this.#sent.on('error', () => this.#end())
  }

  /** The HTTP status, once there is an answer. */
  get status(): number | undefined {
    return this.#status
  }

  get ended(): boolean {
    return this.#ended
  }

  /** The next line, or undefined at the end of the stream. Rejects after `timeoutMs` without one. */
  async next(timeoutMs = 30_000): Promise<JsonObject | undefined> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const line = this.#lines.shift()
      if (line !== undefined) return line
      if (this.#ended) return undefined
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`no message on the stream within ${timeoutMs} ms`)
      await this.#news(left)
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<JsonObject> {
    for (let line = await this.next(2 ** 30); line !== undefined; line = await this.next(2 ** 30)) yield line
  }

  close(): void {
    this.#sent.destroy()
    this.#end()
  }

  #news(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #take(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') this.#lines.push(parse(line))
    this.#wake?.()
  }

  #end(): void {
    this.#ended = true
    this.#wake?.()
  }
}

function readAll(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let raw = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      raw += chunk
    })
    response.on('end', () => resolve(raw))
    response.on('error', reject)
    response.on('close', () => reject(new Error('the answer was cut off')))
  })
}

/** The body as an object; text that is not one is kept under `text`. */
function parse(raw: string): JsonObject {
  try {
    const value: unknown = JSON.parse(raw)
    if (typeof value === 'object' && value !== null) return value as JsonObject
  } catch {
    return { text: raw }
  }
  return { text: raw }
}
