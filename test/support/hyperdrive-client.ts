import type { Socket } from 'node:net'
import { type Backend, LostBackend, NoBackend, type Pool } from './hyperdrive-backend.ts'
import { cacheKey, isCacheable, type NamesCount, type QueryCache } from './hyperdrive-cache.ts'
import {
  encode,
  errorResponse,
  IDLE,
  type Message,
  MessageReader,
  readyForQuery,
  STARTUP,
  WELCOME,
} from './hyperdrive-messages.ts'
import { PreparedStatements, type Resolved, withoutInjected } from './hyperdrive-statements.ts'

/**
 * What Hyperdrive doesn't support, by its documentation. It says no word on what becomes of it; here it is refused, and
 * counted: https://developers.cloudflare.com/hyperdrive/reference/supported-databases-and-features/
 */
const UNSUPPORTED =
  /^\s*(prepare|execute|deallocate|discard|listen|unlisten|notify)\b|\bpg_(try_)?advisory_\w+|\bpg_notify\b|\bcreate\s+(local\s+)?temp/i

/** What changes a session's settings. They hold to the end of the query or transaction, and the connection is reset. */
const SETS = /\bset\b|\bset_config\b/i

/** What can become of the answer to a statement that has run: the client's connection is cut, or Hyperdrive fails. */
export type Fault = 'cut' | 'internal error'

/** What all clients of one Hyperdrive share. */
export interface Shared {
  readonly pool: Pool
  readonly cache: QueryCache
  readonly namesCount: NamesCount
  readonly counts: {
    hits: number
    switched: number
    readonly sent: string[]
    readonly cacheable: string[]
    readonly refused: string[]
  }
  /** What a test wants to become of the answer to these texts. */
  faultOf(texts: readonly string[]): Fault | undefined
}

/** Serves one client connection until it ends. */
export class HyperdriveClient {
  readonly #socket: Socket
  readonly #shared: Shared
  readonly #statements = new PreparedStatements()
  #unit: Message[] = []
  #begun = false
  /** The units of a pipeline run one after the other, each on a connection of its own. */
  #work: Promise<void> = Promise.resolve()
  #held: Backend | undefined
  #last: Backend | undefined

  constructor(socket: Socket, shared: Shared) {
    this.#socket = socket
    this.#shared = shared
    const reader = new MessageReader(false)
    socket.setNoDelay()
    socket.on('data', (data) => {
      for (const message of reader.read(data)) {
        if (this.#begun) this.#take(message)
        else this.#begin(message)
      }
    })
    socket.on('error', () => {})
    // A transaction that its client left is rolled back.
    socket.on('close', () => this.#work.finally(() => this.#held?.close()))
  }

  #take(message: Message): void {
    switch (message.type) {
      case 'X':
        this.#socket.end()
        break
      case 'Q':
      case 'S': {
        const unit = this.#statements.resolve([...this.#unit, message])
        this.#unit = []
        this.#work = this.#work.then(() => this.#run(unit))
        break
      }
      case 'P':
      case 'B':
      case 'D':
      case 'E':
      case 'C':
        this.#unit.push(message)
        break
      default:
        this.#refuse(`message ${message.type}`)
        this.#socket.destroy()
    }
  }

  #begin({ body }: Message): void {
    switch (body.readInt32BE(0)) {
      case STARTUP.protocol3:
        this.#begun = true
        this.#send(WELCOME)
        break
      case STARTUP.tls:
      case STARTUP.gss:
        this.#socket.write('N')
        break
      default:
        this.#socket.destroy()
    }
  }

  async #run(unit: Resolved): Promise<void> {
    if (this.#socket.destroyed) return
    const unsupported = unit.texts.find((text) => UNSUPPORTED.test(text))
    if (unsupported !== undefined) {
      this.#refuse(unsupported)
      return this.#send([
        errorResponse('0A000', `Hyperdrive has no such thing: ${unsupported}`),
        readyForQuery(this.#held ? 'T' : IDLE),
      ])
    }
    const { cache, counts } = this.#shared
    counts.sent.push(...unit.texts)
    const cacheable = unit.texts.filter((text) => isCacheable(text, this.#shared.namesCount))
    counts.cacheable.push(...cacheable)
    const keeps = this.#held === undefined && unit.texts.length === 1 && cacheable.length === 1
    const key = keeps ? `${[...unit.injected]} ${cacheKey(unit.messages)}` : undefined
    const kept = key && cache.get(key)
    if (kept) {
      counts.hits++
      this.#socket.write(kept)
      return
    }
    const answer = await this.#answer(unit)
    if (answer === undefined) return
    if (key && !answer.some(({ type }) => type === 'E')) cache.set(key, Buffer.concat(answer.map(encode)))
    switch (this.#shared.faultOf(unit.texts)) {
      case 'cut':
        this.#socket.destroy()
        break
      case 'internal error':
        this.#send([errorResponse('58000', 'Internal error.'), readyForQuery(IDLE)])
        break
      default:
        this.#send(answer)
    }
  }

  /** Runs a unit on a connection; gives nothing when the client's connection is lost with the one to PostgreSQL. */
  async #answer(unit: Resolved): Promise<readonly Message[] | undefined> {
    try {
      const backend = this.#held ?? (await this.#borrow())
      const { messages, status } = await backend.run(unit.messages)
      if (status === IDLE) await this.#giveBack(backend, unit)
      else this.#held = backend
      return withoutInjected(messages, unit.injected)
    } catch (error) {
      if (error instanceof NoBackend) return [errorResponse('58000', error.message), readyForQuery(IDLE)]
      if (!(error instanceof LostBackend)) throw error
      this.#held = undefined
      this.#send(error.messages)
      this.#socket.end()
      return undefined
    }
  }

  async #borrow(): Promise<Backend> {
    const backend = await this.#shared.pool.acquire(this.#last)
    if (this.#last !== undefined && this.#last !== backend) this.#shared.counts.switched++
    this.#last = backend
    return backend
  }

  async #giveBack(backend: Backend, unit: Resolved): Promise<void> {
    this.#held = undefined
    if (unit.texts.some((text) => SETS.test(text))) await backend.reset()
    this.#shared.pool.release(backend)
  }

  #refuse(text: string): void {
    this.#shared.counts.refused.push(text)
  }

  #send(messages: readonly Message[]): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat(messages.map(encode)))
  }
}
