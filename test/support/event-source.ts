import { EventReader, type ReceivedEvent } from '../../src/gateway/server-sent-events/testing/event-reader.ts'
import type { JsonObject } from './gateway.ts'
import { prefixRange } from './watching.ts'

/** The URL of an event stream on all keys that begin with a text. */
export function eventsUrl(server: string, prefix: string, more: Readonly<Record<string, string>> = {}): URL {
  const url = new URL('/v3/watch', server)
  url.search = new URLSearchParams({ ...prefixRange(prefix), ...more }).toString()
  return url
}

/** An event stream in Node that comes back as a browser's EventSource does, but sooner. */
export class EventSource {
  /** `PUT key=value@revision`, as they came. */
  readonly seen: string[] = []
  /** Everything but changes, by name. */
  readonly names: string[] = []
  /** How often it was connected. */
  connections = 0
  /** The status that made it stop, for good. */
  status: number | undefined
  lastEventId: string
  readonly finished: Promise<void>
  readonly #url: () => URL
  readonly #headers: Readonly<Record<string, string>>
  readonly #leaving = new AbortController()
  readonly #looks = new Set<() => void>()

  /** `url` is asked for at each connection: the server may be another. */
  constructor(url: () => URL, lastEventId = '', headers: Readonly<Record<string, string>> = {}) {
    this.#url = url
    this.#headers = headers
    this.lastEventId = lastEventId
    this.finished = this.#run()
  }

  /** Resolves when `holds` does; it is asked after each event, and at the end. */
  until(holds: (source: this) => boolean, timeoutMs = 60_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!holds(this)) return
        clearTimeout(timer)
        this.#looks.delete(look)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#looks.delete(look)
        reject(new Error(`seen only ${JSON.stringify([this.seen, this.names, this.status])}`))
      }, timeoutMs)
      this.#looks.add(look)
      look()
    })
  }

  async close(): Promise<void> {
    this.#leaving.abort()
    await this.finished
  }

  async #run(): Promise<void> {
    while (!this.#leaving.signal.aborted && this.status === undefined) {
      try {
        await this.#connect()
      } catch {
        // The server is away, or cut the stream off: that is what coming back is for.
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    this.#look()
  }

  async #connect(): Promise<void> {
    const reader = new EventReader(this.lastEventId)
    const last = this.lastEventId === '' ? {} : { 'Last-Event-ID': this.lastEventId }
    const headers = { Accept: 'text/event-stream', ...last, ...this.#headers }
    const response = await fetch(this.#url(), { headers, signal: this.#leaving.signal })
    if (response.status !== 200) {
      this.status = response.status
      await response.arrayBuffer()
      return
    }
    this.connections++
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      for (const event of reader.push(text)) this.#take(event)
      this.lastEventId = reader.lastEventId
      this.#look()
    }
  }

  #take({ name, data }: ReceivedEvent): void {
    if (name !== 'message') {
      this.names.push(name)
      return
    }
    for (const { type = 'PUT', kv } of JSON.parse(data).events as JsonObject[]) {
      const { key, value = '', mod_revision } = kv as Readonly<Record<string, string>>
      const text = (base64 = '') => Buffer.from(base64, 'base64').toString()
      this.seen.push(`${type} ${text(key)}=${text(value)}@${mod_revision}`)
    }
  }

  #look(): void {
    for (const look of this.#looks) look()
  }
}
