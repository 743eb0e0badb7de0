import { connect, type Socket } from 'node:net'
import { encode, type Message, MessageReader, ofStrings, startup } from './hyperdrive-messages.ts'

/** What PostgreSQL answered to the messages up to a Sync. */
export interface Reply {
  readonly messages: readonly Message[]
  /** The state that its transaction is in now. */
  readonly status: string
}

/** One connection of the pool to PostgreSQL. It takes one unit of messages at a time. */
export class Backend {
  readonly #socket: Socket
  readonly #reader = new MessageReader(true)
  readonly #onLost: (backend: Backend) => void
  #messages: Message[] = []
  #waiting: { answer(reply: Reply): void; fail(messages: readonly Message[]): void } | undefined

  private constructor(port: number, onLost: (backend: Backend) => void) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay()
    this.#onLost = onLost
    this.#socket.on('data', (data) => this.#take(data))
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.#onLost(this)
      this.#waiting?.fail(this.#messages)
    })
  }

  /** Connects to a PostgreSQL that trusts whoever comes. Fails with a LostBackend. */
  static async connect(
    port: number,
    who: Readonly<Record<string, string>>,
    onLost: (backend: Backend) => void,
  ): Promise<Backend> {
    const backend = new Backend(port, onLost)
    await backend.run([startup(who)])
    return backend
  }

  /** Sends messages that end in a Sync, or a Query; gives the answer. Fails with a LostBackend. */
  run(unit: readonly Message[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#messages = []
      this.#waiting = {
        answer: resolve,
        fail: (messages) => reject(new LostBackend(messages)),
      }
      this.#socket.write(Buffer.concat(unit.map(encode)))
    })
  }

  /** Makes the session's settings those of a new one. */
  async reset(): Promise<void> {
    await this.run([ofStrings('Q', 'reset all')])
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(data: Buffer): void {
    for (const message of this.#reader.read(data)) {
      this.#messages.push(message)
      if (message.type !== 'Z') continue
      const waiting = this.#waiting
      this.#waiting = undefined
      waiting?.answer({ messages: this.#messages, status: message.body.toString('latin1') })
    }
  }
}

/** The connection to PostgreSQL ended under a statement. */
export class LostBackend extends Error {
  /** What came before the end. */
  readonly messages: readonly Message[]

  constructor(messages: readonly Message[]) {
    super('the connection to PostgreSQL was lost')
    this.messages = messages
  }
}

/** No connection to PostgreSQL can be had; in the words of Hyperdrive's documentation. */
export class NoBackend extends Error {}

/** Several connections to one PostgreSQL, each lent for a transaction. */
export class Pool {
  readonly #connect: () => Promise<Backend>
  readonly #size: number
  readonly #patienceMs: number
  readonly #idle: Backend[] = []
  readonly #open = new Set<Backend>()
  readonly #waiting: ((backend: Backend) => void)[] = []
  #opening = 0

  /** `patienceMs`: how long a client waits for a connection when all are lent. */
  constructor(options: {
    readonly port: number
    readonly who: Readonly<Record<string, string>>
    readonly size: number
    readonly patienceMs: number
  }) {
    this.#connect = () => Backend.connect(options.port, options.who, (lost) => this.#forget(lost))
    this.#size = options.size
    this.#patienceMs = options.patienceMs
  }

  /** Lends a connection, and another than `last` where that can be: nobody may count on the same one. */
  async acquire(last: Backend | undefined): Promise<Backend> {
    const other = this.#idle.findIndex((backend) => backend !== last)
    if (other >= 0) return this.#idle.splice(other, 1)[0] as Backend
    if (this.#open.size + this.#opening < this.#size) return this.#another()
    return this.#idle.shift() ?? this.#whenReleased()
  }

  /** Takes back a connection, in which no transaction may be open any more. */
  release(backend: Backend): void {
    if (!this.#open.has(backend)) return
    const waiting = this.#waiting.shift()
    if (waiting) waiting(backend)
    else this.#idle.push(backend)
  }

  close(): void {
    for (const backend of this.#open) backend.close()
  }

  async #another(): Promise<Backend> {
    this.#opening++
    try {
      const backend = await this.#connect()
      this.#open.add(backend)
      return backend
    } catch {
      throw new NoBackend('Server connection attempt failed: connection_refused')
    } finally {
      this.#opening--
    }
  }

  #whenReleased(): Promise<Backend> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(lend), 1)
        reject(new NoBackend('Failed to acquire a connection from the pool.'))
      }, this.#patienceMs)
      const lend = (backend: Backend) => {
        clearTimeout(timer)
        resolve(backend)
      }
      this.#waiting.push(lend)
    })
  }

  #forget(backend: Backend): void {
    this.#open.delete(backend)
    const at = this.#idle.indexOf(backend)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}
