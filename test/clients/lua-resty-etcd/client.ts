import { b64, text } from '../../support/gateway.ts'
import { Connection, type Head, type WholeAnswer } from './connection.ts'

/** A record as the client hands it on: the key and value decoded, the value being JSON. */
export interface Item {
  readonly key: string
  readonly value: unknown
  readonly modRevision: string
}

export interface WatchedMessage {
  readonly created?: boolean
  readonly canceled?: boolean
  readonly compactRevision?: string
  readonly cancelReason?: string
  /** APISIX goes on from the revision after this one. */
  readonly revision?: string
  readonly events: readonly Item[]
}

interface Record64 {
  readonly key: string
  readonly value?: string
  readonly mod_revision: string
}
interface WatchResult {
  readonly header?: { readonly revision?: string }
  readonly created?: boolean
  readonly canceled?: boolean
  readonly compact_revision?: string
  readonly cancel_reason?: string
  readonly events?: readonly { readonly kv: Record64 }[]
}

/** All twelve fields of a range, which the client always sends. */
const RANGE = {
  limit: 0,
  revision: 0,
  sort_order: 0,
  sort_target: 0,
  serializable: false,
  keys_only: false,
  count_only: false,
  min_mod_revision: 0,
  max_mod_revision: 0,
  min_create_revision: 0,
  max_create_revision: 0,
}

/** The requests of lua-resty-etcd 1.10 over HTTP, byte for byte but for the order of headers and of fields. */
export class RestyEtcd {
  readonly #port: number
  readonly #pool: Connection
  #token: string | undefined

  private constructor(port: number, pool: Connection) {
    this.#port = port
    this.#pool = pool
  }

  /** A client that keeps one connection for all that it asks, but watches. */
  static async open(port: number): Promise<RestyEtcd> {
    return new RestyEtcd(port, await Connection.open(port))
  }

  /** Asks for a token on a connection that isn't kept. The answer of the server, whatever it is. */
  async authenticate(name: string, password: string): Promise<WholeAnswer> {
    const once = await Connection.open(this.#port)
    const answer = await once.request('POST', '/v3/auth/authenticate', JSON.stringify({ name, password }))
    once.close()
    this.#token = (answer.body as { token?: string }).token
    return answer
  }

  useToken(token: string): void {
    this.#token = token
  }

  version(): Promise<WholeAnswer> {
    return this.#ask('GET', '/version')
  }

  set(key: string, value: unknown, attributes: object = {}): Promise<WholeAnswer> {
    return this.#post('/v3/kv/put', { value: b64(JSON.stringify(value)), key: b64(key), ...attributes })
  }

  get(key: string): Promise<WholeAnswer> {
    return this.#post('/v3/kv/range', { key: b64(key), ...RANGE })
  }

  readdir(key: string): Promise<WholeAnswer> {
    return this.#post('/v3/kv/range', { key: b64(key), range_end: b64(rangeEnd(key)), ...RANGE })
  }

  /** Puts the key if it isn't there. */
  setnx(key: string, value: unknown): Promise<WholeAnswer> {
    return this.#post('/v3/kv/txn', { compare: [isAbsent(key)], success: [requestPut(key, value)] })
  }

  /** Puts the key if it is there. */
  setx(key: string, value: unknown): Promise<WholeAnswer> {
    return this.#post('/v3/kv/txn', { compare: [isAbsent(key)], failure: [requestPut(key, value)] })
  }

  delete(key: string, attributes: object = {}): Promise<WholeAnswer> {
    return this.#post('/v3/kv/deleterange', { key: b64(key), ...attributes })
  }

  rmdir(key: string): Promise<WholeAnswer> {
    return this.#post('/v3/kv/deleterange', { key: b64(key), range_end: b64(rangeEnd(key)) })
  }

  grant(ttl: number, id = 0): Promise<WholeAnswer> {
    return this.#post('/v3/lease/grant', { TTL: ttl, ID: id })
  }

  revoke(id: string): Promise<WholeAnswer> {
    return this.#post('/v3/kv/lease/revoke', { ID: id })
  }

  keepalive(id: string): Promise<WholeAnswer> {
    return this.#post('/v3/lease/keepalive', { ID: id })
  }

  timetolive(id: string): Promise<WholeAnswer> {
    return this.#post('/v3/kv/lease/timetolive', { ID: id, keys: true })
  }

  /** With no body, and nothing that says so. */
  leases(): Promise<WholeAnswer> {
    return this.#ask('POST', '/v3/lease/leases')
  }

  /** A watch on a connection of its own, as APISIX opens it after it has read the directory. */
  async watchdir(key: string, startRevision: number): Promise<RestyWatch> {
    const connection = await Connection.open(this.#port)
    const create_request = {
      key: b64(key),
      range_end: b64(rangeEnd(key)),
      start_revision: startRevision,
      prev_kv: true,
      progress_notify: true,
    }
    const body = JSON.stringify({ create_request })
    return new RestyWatch(connection, await connection.send('POST', '/v3/watch', body, this.#headers()))
  }

  close(): void {
    this.#pool.close()
  }

  #post(path: string, body: object): Promise<WholeAnswer> {
    return this.#ask('POST', path, JSON.stringify(body))
  }

  /** The connection goes back to the pool after each answer, so it has to be as new then. */
  async #ask(method: string, path: string, body?: string): Promise<WholeAnswer> {
    const answer = await this.#pool.request(method, path, body, this.#headers())
    const closing = answer.headers.get('connection')
    if (closing === 'close' || !this.#pool.reusable) throw new Error(`${path}: the connection can't be kept`)
    return answer
  }

  #headers(): Record<string, string> {
    return this.#token === undefined ? {} : { Authorization: this.#token }
  }
}

/** A watch as the client reads it. */
class RestyWatch {
  readonly head: Head
  readonly #connection: Connection

  constructor(connection: Connection, head: Head) {
    this.#connection = connection
    this.head = head
  }

  /**
   * Gathers chunks until one ends with a newline: a large message may come in several. Fails when the stream ends, when
   * what came isn't JSON, and on a message with an error, whose `http_code` the client takes to be a number. The client
   * would take several lines at once; other clients of the gateway don't, so here too they are a failure.
   */
  async read(): Promise<WatchedMessage> {
    let line = ''
    while (!line.endsWith('\n')) {
      const chunk = await this.#connection.readChunk()
      if (chunk === undefined) throw new Error('the watch ended')
      line += chunk
    }
    const message = JSON.parse(line) as { result?: WatchResult; error?: unknown }
    if (message.error !== undefined || message.result === undefined) throw new Error(`an error: ${line}`)
    return decode(message.result)
  }

  /** What the client does in place of a cancel request. */
  close(): void {
    this.#connection.close()
  }
}

/** The items of a range's answer; none when it has no `kvs`. */
export function itemsOf(answer: WholeAnswer): Item[] {
  return ((answer.body as { kvs?: Record64[] }).kvs ?? []).map(item)
}

/** The revision in an answer's header. */
export function revisionOf(answer: WholeAnswer): number {
  return Number((answer.body as { header: { revision: string } }).header.revision)
}

function decode(result: WatchResult): WatchedMessage {
  const { header, created, canceled, compact_revision, cancel_reason, events } = result
  return {
    ...(created === undefined ? {} : { created }),
    ...(canceled === undefined ? {} : { canceled }),
    ...(compact_revision === undefined ? {} : { compactRevision: compact_revision }),
    ...(cancel_reason === undefined ? {} : { cancelReason: cancel_reason }),
    ...(header?.revision === undefined ? {} : { revision: header.revision }),
    events: (events ?? []).map(({ kv }) => item(kv)),
  }
}

/** A value that is missing is a deletion to the client. */
function item({ key, value, mod_revision }: Record64): Item {
  return {
    key: text(key),
    value: value === undefined ? undefined : JSON.parse(text(value)),
    modRevision: mod_revision,
  }
}

function rangeEnd(key: string): string {
  return key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1)
}

function isAbsent(key: string): object {
  return { target: 'CREATE', key: b64(key), createRevision: 0 }
}

function requestPut(key: string, value: unknown): object {
  return { requestPut: { key: b64(key), value: b64(JSON.stringify(value)) } }
}
