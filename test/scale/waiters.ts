import { connect, type Socket } from 'node:net'
import type { Gateway } from '../support/gateway.ts'

/** Many clients that follow one prefix by long polls, each as a client of ours would: from `Link` to `Link`. */
export interface Waiters {
  /** Resolves when every waiter has seen all revisions through this one; rejects when one of them saw anything else. */
  seen(revision: number): Promise<void>
  /** Long polls that were answered without an event. */
  readonly emptyAnswers: number
  close(): void
}

export interface WaitersOptions {
  /** The server, or a cache before it. */
  readonly url: string
  readonly prefix: string
  /** The first revision that they want to see. */
  readonly startRevision: number
  readonly count: number
  /** Seconds that one poll may last. */
  readonly wait: number
  /** More request headers, each with its line's end. */
  readonly headers?: string
}

/** Where the first poll begins: the same for all, as it is for pages that load the state and then wait. */
export function pollPath({ prefix, startRevision, wait }: Omit<WaitersOptions, 'url' | 'count'>): string {
  const end = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`
  const base64Url = (text: string) => Buffer.from(text).toString('base64url')
  return `/v3/watch?key=${base64Url(prefix)}&range_end=${base64Url(end)}&start_revision=${startRevision}&wait=${wait}`
}

/** Starts them; resolves when all have sent their first poll. Every revision has to be one event under the prefix. */
export async function startWaiters(options: WaitersOptions): Promise<Waiters> {
  const { hostname, port } = new URL(options.url)
  const path = pollPath(options)
  const waiters = Array.from({ length: options.count }, () => new Waiter(options, path))
  await Promise.all(waiters.map((waiter) => waiter.open(hostname, Number(port))))
  return {
    async seen(revision) {
      await Promise.all(waiters.map((waiter) => waiter.seen(revision)))
    },
    get emptyAnswers() {
      return waiters.reduce((sum, waiter) => sum + waiter.emptyAnswers, 0)
    },
    close() {
      for (const waiter of waiters) waiter.close()
    },
  }
}

/** Puts one key under the prefix after the other, `perSecond` for `seconds`; gives the last revision. */
export async function writeSteadily(
  gateway: Gateway,
  options: { prefix: string; perSecond: number; seconds: number },
): Promise<number> {
  const { prefix, perSecond, seconds } = options
  const startMs = performance.now()
  let revision = 0
  for (let i = 0; i < perSecond * seconds; i++) {
    revision = await gateway.put(`${prefix}${i}`, `value ${i}`)
    const pauseMs = startMs + ((i + 1) * 1000) / perSecond - performance.now()
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, pauseMs)))
  }
  return revision
}

/** A whole answer: its head, and the length of its body. */
const HEAD_END = '\r\n\r\n'
const LENGTH = /^content-length: (\d+)\r$/im
const NEXT = /^link: <([^>]+)>; rel="next"\r$/im
const REVISION = /"mod_revision":"(\d+)"/g

/** One client on a keep-alive connection of its own. A bare socket: a thousand of them have to cost little. */
class Waiter {
  emptyAnswers = 0
  readonly #headers: string
  #path: string
  #next: number
  #socket: Socket | undefined
  #received = ''
  #awaited: { revision: number; resolve: () => void; reject: (error: Error) => void } | undefined
  #error: Error | undefined

  constructor({ url, startRevision, headers = '' }: WaitersOptions, path: string) {
    this.#headers = `Host: ${new URL(url).host}\r\n${headers}\r\n`
    this.#next = startRevision
    this.#path = path
  }

  open(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true }, () => {
        this.#poll()
        resolve()
      })
      this.#socket = socket
      socket.setEncoding('latin1')
      socket.on('data', (data: string) => this.#take(data))
      socket.on('error', (error) => {
        reject(error)
        this.#fail(error)
      })
      socket.on('close', () => this.#fail(new Error('the server closed the connection')))
    })
  }

  seen(revision: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) reject(this.#error)
      else if (this.#next > revision) resolve()
      else this.#awaited = { revision, resolve, reject }
    })
  }

  close(): void {
    this.#socket?.removeAllListeners('close').destroy()
  }

  #poll(): void {
    this.#socket?.write(`GET ${this.#path} HTTP/1.1\r\n${this.#headers}`)
  }

  #take(data: string): void {
    this.#received += data
    const headEnd = this.#received.indexOf(HEAD_END)
    if (headEnd < 0) return
    const head = this.#received.slice(0, headEnd + 2)
    const bodyStart = headEnd + HEAD_END.length
    const bodyEnd = bodyStart + Number(LENGTH.exec(head)?.[1])
    if (!(this.#received.length >= bodyEnd)) return
    const body = this.#received.slice(bodyStart, bodyEnd)
    this.#received = this.#received.slice(bodyEnd)
    const next = NEXT.exec(head)?.[1]
    if (!head.startsWith('HTTP/1.1 200') || next === undefined) {
      this.#fail(new Error(`not an answer to a long poll:\n${head}${body}`))
      return
    }
    this.#path = next
    this.#note(body)
    this.#poll()
  }

  /** Revisions are dense, so whoever sees each next one has missed none, and none twice. */
  #note(body: string): void {
    const revisions = Array.from(body.matchAll(REVISION), ([, revision]) => Number(revision))
    if (revisions.length === 0) this.emptyAnswers++
    for (const revision of revisions) {
      if (revision !== this.#next) this.#fail(new Error(`revision ${revision} came instead of ${this.#next}`))
      this.#next = revision + 1
    }
    if (this.#awaited === undefined || this.#next <= this.#awaited.revision) return
    this.#awaited.resolve()
    this.#awaited = undefined
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#awaited?.reject(this.#error)
  }
}
