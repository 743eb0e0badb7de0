import { readFileSync } from 'node:fs'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

/**
 * An edgetcd on a PostgreSQL of its own, which syncs to disk. It can be killed and comes back at the same address;
 * others may serve the same store beside it.
 */
export class Store implements AsyncDisposable {
  readonly #postgres: Postgres
  #server: Edgetcd
  readonly #others: Edgetcd[] = []

  private constructor(postgres: Postgres, server: Edgetcd) {
    this.#postgres = postgres
    this.#server = server
  }

  static async start(): Promise<Store> {
    const postgres = await startPostgres(18, { durable: true })
    return new Store(postgres, await startEdgetcd({ databaseUrl: postgres.url }))
  }

  get url(): string {
    return this.#server.url
  }

  /** Starts another server on the same database, and gives its URL. */
  async startOther(): Promise<string> {
    const other = await startEdgetcd({ databaseUrl: this.#postgres.url })
    this.#others.push(other)
    return other.url
  }

  /** How many keys begin with `prefix`: what is really there, whatever an apiserver says. */
  async keysBelow(prefix: string): Promise<number> {
    const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
    const encode = (key: string) => Buffer.from(key).toString('base64')
    const range = { key: encode(prefix), range_end: encode(end), count_only: true }
    const { status, body } = await this.#server.gateway.call('/v3/kv/range', range)
    if (status !== 200) throw new Error(`the store answered ${status}`)
    return Number(body.count ?? 0)
  }

  /** SIGKILL, and another server in its place. */
  async killAndRestart(): Promise<void> {
    const { child, port } = this.#server
    child.signal('SIGKILL')
    await child.exited
    await this.#server[Symbol.asyncDispose]()
    this.#server = await startEdgetcd({ databaseUrl: this.#postgres.url, port })
  }

  /** PostgreSQL ends as if its machine had lost power, and recovers. */
  async crashDatabase(): Promise<void> {
    await this.#postgres.stop('immediate')
    await this.#postgres.start()
  }

  /** What the server's process holds in memory, without PostgreSQL; Linux tells. */
  memoryMb(): string {
    const status = readFileSync(`/proc/${this.#server.child.pid}/status`, 'utf8')
    return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024).toFixed(0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#server, ...this.#others]) await server[Symbol.asyncDispose]()
    await this.#postgres[Symbol.asyncDispose]()
  }
}
