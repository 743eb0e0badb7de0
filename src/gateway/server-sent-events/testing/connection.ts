import { EtcdError } from '../../../etcd/errors.ts'
import type { Call } from '../../../service/call.ts'
import { openService } from '../../../service/watch/testing/client.ts'
import { createApp } from '../../app.ts'
import type { Context } from '../../context.ts'
import { fakeContext, fakeServices } from '../../testing/fake-services.ts'
import { EventReader, type ReceivedEvent } from './event-reader.ts'

const app = createApp()

/** The gateway on the watch service over a log in memory, with a clock that goes on when it is told. */
export function openEvents(options: Parameters<typeof openService>[0] = {}) {
  const { log, clock, environment, service } = openService(options)
  const calls: Call[] = []
  const watch: typeof service.watch = (requests, call) => {
    calls.push(call)
    return service.watch(requests, call)
  }
  const services = fakeServices({ watch: { watch }, longPoll: service.longPoll })
  const context = fakeContext({ services, environment })
  return { log, clock, service, calls, connect: connector(context) }
}

/** Connects as an EventSource does, to whatever the context has. */
export function connector(context: Context) {
  return async (target: string, lastEventId = '', headers: Record<string, string> = {}) => {
    const resumed = lastEventId === '' ? {} : { 'Last-Event-ID': lastEventId }
    const leaving = new AbortController()
    const response = await app.fetch(
      new Request(new URL(target, 'http://test'), {
        headers: { Accept: 'text/event-stream', ...resumed, ...headers },
        signal: leaving.signal,
      }),
      { context, target },
    )
    return new Connection(response, lastEventId, () => leaving.abort(EtcdError.of('Canceled')))
  }
}

/** One connection of an EventSource. */
export class Connection {
  readonly response: Response
  readonly reader: EventReader
  #chunks: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #decoder = new TextDecoder()
  #events: ReceivedEvent[] = []

  readonly #leave: () => void

  constructor(response: Response, lastEventId: string, leave: () => void) {
    this.response = response
    this.#leave = leave
    this.reader = new EventReader(lastEventId)
  }

  /** The text of the next piece; undefined at the end. */
  async piece(): Promise<string | undefined> {
    this.#chunks ??= this.response.body?.getReader()
    const next = await this.#chunks?.read()
    return next?.value === undefined ? undefined : this.#decoder.decode(next.value, { stream: true })
  }

  /** The next event; undefined at the end. */
  async next(): Promise<ReceivedEvent | undefined> {
    while (this.#events.length === 0) {
      const piece = await this.piece()
      if (piece === undefined) return undefined
      this.#events = this.reader.push(piece)
    }
    return this.#events.shift()
  }

  /** Goes away, as a server sees it: the request's signal aborts, and nobody reads any more. */
  async close(): Promise<void> {
    this.#leave()
    await (this.#chunks ?? this.response.body)?.cancel()
  }
}
