import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { BodyBudget } from '../../rpc/body-budget.ts'

/** Holds a client's frames back, where the server can. */
export interface Flow {
  pause(): void
  resume(): void
}

/** What an unread frame takes beside its bytes, roughly. */
const FRAME_OVERHEAD_BYTES = 64

/** etcd ends each frame with a line break: a string can't go over the end of a frame, anything else of JSON can. */
const LINE_END = new Uint8Array([0x0a])

/**
 * The frames that a client has sent and nobody has read: the body of a request, as long as the connection lives. The
 * client is held back while `LIMITS.webSocketUnreadBytes` of them wait. One who sends on (where it can't be held back)
 * is refused at `LIMITS.webSocketUnreadBytesMax`.
 */
export class FrameQueue implements AsyncIterable<Uint8Array> {
  readonly #flow: Flow
  readonly #budget = new BodyBudget()
  #frames: Uint8Array[] = []
  #unreadBytes = 0
  #paused = false
  #ended = false
  #failure: EtcdError | undefined
  #wake = () => {}

  constructor(flow: Flow) {
    this.#flow = flow
  }

  /** Takes a frame. When it is too much, the reader fails with TooManyRequests; after the end it is thrown away. */
  push(frame: Uint8Array): void {
    if (this.#ended) return
    try {
      this.#budget.take(frame.byteLength)
      this.#unreadBytes += frame.byteLength + FRAME_OVERHEAD_BYTES
      if (this.#unreadBytes > LIMITS.webSocketUnreadBytesMax) throw EtcdError.of('TooManyRequests')
    } catch (thrown) {
      if (!(thrown instanceof EtcdError)) throw thrown
      this.#failure = thrown
      this.end()
      return
    }
    this.#frames.push(frame)
    if (this.#unreadBytes > LIMITS.webSocketUnreadBytes) this.#setPaused(true)
    this.#wake()
  }

  /** Nothing is read any more. May be called again. */
  end(): void {
    this.#ended = true
    this.#frames = []
    this.#budget.release()
    // Whoever wants to end a connection has to read on until the other side agrees.
    this.#setPaused(false)
    this.#wake()
  }

  /** The frames as they come. Only one may read; when it stops, the queue ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      while (!this.#ended) {
        const frames = this.#frames
        this.#frames = []
        for (const frame of frames) {
          if (this.#ended) break
          yield frame
          yield LINE_END
          this.#taken(frame)
        }
        if (frames.length === 0) await this.#news()
      }
      if (this.#failure !== undefined) throw this.#failure
    } finally {
      this.end()
    }
  }

  #taken(frame: Uint8Array): void {
    this.#unreadBytes -= frame.byteLength + FRAME_OVERHEAD_BYTES
    if (this.#unreadBytes === 0) this.#budget.release()
    if (this.#unreadBytes <= LIMITS.webSocketUnreadBytes) this.#setPaused(false)
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #setPaused(paused: boolean): void {
    if (this.#paused === paused) return
    this.#paused = paused
    if (paused) this.#flow.pause()
    else this.#flow.resume()
  }
}
