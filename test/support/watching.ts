import type { Gateway, JsonObject } from './gateway.ts'

/** A watch event, decoded as far as tests need it. */
export interface WatchedEvent {
  readonly type: 'PUT' | 'DELETE'
  readonly key: string
  readonly value: string
  readonly revision: number
}

export interface Watching {
  /** What came so far, in the order in which it came. */
  readonly events: readonly WatchedEvent[]
  /** Why the stream ended before it was closed here, if it did. */
  readonly ended: string | undefined
  /** Resolves when an event at or after `revision` has come. Rejects after `timeoutMs`. */
  reached(revision: number, timeoutMs?: number): Promise<void>
  close(): void
}

/** The request of a watch on all keys that begin with a text, as `range_end` wants it: the text's last byte, plus one. */
export function prefixRange(prefix: string): { key: string; range_end: string } {
  const end = Buffer.from(prefix)
  end[end.length - 1] = (end.at(-1) as number) + 1
  return { key: Buffer.from(prefix).toString('base64'), range_end: end.toString('base64') }
}

/** Watches as `create_request` says; resolves when the server has said that the watch is there. */
export async function watch(gateway: Gateway, create_request: JsonObject): Promise<Watching> {
  const stream = gateway.stream('/v3/watch', { create_request })
  const created = (await stream.next())?.result as JsonObject | undefined
  if (created?.created !== true || created.canceled === true) {
    throw new Error(`the watch was refused: ${JSON.stringify(created)}`)
  }
  const events: WatchedEvent[] = []
  const waiting = new Set<() => void>()
  let ended: string | undefined
  let closed = false
  const read = async () => {
    for await (const message of stream) {
      const result = message.result as JsonObject | undefined
      if (result === undefined || result.canceled === true) ended = JSON.stringify(message)
      for (const event of (result?.events ?? []) as readonly JsonObject[]) events.push(watchedEvent(event))
      for (const look of waiting) look()
    }
    if (!closed) ended ??= 'the server ended the stream'
    for (const look of waiting) look()
  }
  const reading = read()
  return {
    events,
    get ended() {
      return ended
    },
    reached: (revision, timeoutMs = 30_000) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void) => {
          clearTimeout(timer)
          waiting.delete(look)
          settle()
        }
        const look = () => {
          if ((events.at(-1)?.revision ?? 0) >= revision) finish(resolve)
          else if (ended !== undefined) finish(() => reject(new Error(`the watch ended: ${ended}`)))
        }
        const timer = setTimeout(() => {
          const last = events.at(-1)?.revision
          finish(() =>
            reject(new Error(`revision ${revision} did not come in ${timeoutMs} ms, only ${last}`)),
          )
        }, timeoutMs)
        waiting.add(look)
        look()
      }),
    close() {
      closed = true
      stream.close()
      void reading
    },
  }
}

/** Decodes one of the `events` of a watch's answer. */
function watchedEvent(event: JsonObject): WatchedEvent {
  const kv = event.kv as { key: string; value?: string; mod_revision: string }
  return {
    type: event.type === 'DELETE' ? 'DELETE' : 'PUT',
    key: Buffer.from(kv.key, 'base64').toString(),
    value: Buffer.from(kv.value ?? '', 'base64').toString(),
    revision: Number(kv.mod_revision),
  }
}

/** A watcher that never gives up: after each break it goes on from the revision after the last that it saw. */
export interface Follower {
  /** Every event since `startRevision`, as it came. */
  readonly events: readonly WatchedEvent[]
  /** How often it had to begin again. */
  readonly resumed: number
  /** Resolves when an event at or after `revision` has come. Rejects after `timeoutMs`. */
  reached(revision: number, timeoutMs?: number): Promise<void>
  stop(): Promise<void>
}

/** Follows all keys that begin with `prefix` by watches, through whatever happens to the server. */
export function follow(gateway: Gateway, prefix: string, startRevision: number): Follower {
  return keepFollowing(startRevision, async (next, seen, stopped) => {
    const current = await watch(gateway, { ...prefixRange(prefix), start_revision: String(next) })
    let taken = 0
    while (!stopped.aborted && current.ended === undefined) {
      await current.reached((current.events.at(-1)?.revision ?? 0) + 1, 1000).catch(() => undefined)
      seen(current.events.slice(taken))
      taken = current.events.length
    }
    current.close()
  })
}

/** The same by long polls, each of which asks for what comes after the last that it saw. */
export function followByPolls(gateway: Gateway, prefix: string, startRevision: number): Follower {
  return keepFollowing(startRevision, async (next, seen, stopped) => {
    for (let from = next; !stopped.aborted; ) {
      const query = new URLSearchParams({ ...prefixRange(prefix), start_revision: String(from), wait: '2' })
      const answer = await fetch(`${gateway.url}/v3/watch?${query}`, { signal: stopped })
      if (!answer.ok) return
      const { events = [] } = (await answer.json()) as { events?: readonly JsonObject[] }
      seen(events.map(watchedEvent))
      // Where to go on may be later than the last event that was of this prefix.
      const link = /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
      from = Number(new URL(link, gateway.url).searchParams.get('start_revision'))
    }
  })
}

/** Calls `once` with the revision to go on from until stopped; each call tells what it saw, and may end or fail. */
function keepFollowing(
  startRevision: number,
  once: (
    next: number,
    seen: (events: readonly WatchedEvent[]) => void,
    stopped: AbortSignal,
  ) => Promise<void>,
): Follower {
  const events: WatchedEvent[] = []
  const waiting = new Set<() => void>()
  const stop = new AbortController()
  let resumed = -1
  const seen = (more: readonly WatchedEvent[]) => {
    events.push(...more)
    for (const look of waiting) look()
  }
  const run = async () => {
    while (!stop.signal.aborted) {
      resumed++
      const next = (events.at(-1)?.revision ?? startRevision - 1) + 1
      await once(next, seen, stop.signal).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const running = run()
  return {
    events,
    get resumed() {
      return resumed
    },
    reached: (revision, timeoutMs = 60_000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if ((events.at(-1)?.revision ?? 0) < revision) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve()
        }
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`revision ${revision} did not come, only ${events.at(-1)?.revision}`))
        }, timeoutMs)
        waiting.add(look)
        look()
      }),
    async stop() {
      stop.abort()
      await running
    },
  }
}
