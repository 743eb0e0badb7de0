import type { ServerHttp2Stream } from 'node:http2'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { messageOf } from './compression.ts'
import { FrameReader } from './frames.ts'

/** What a stream tells of that lets its reader go on. */
const CHANGES = ['readable', 'end', 'aborted', 'close'] as const

/** The messages that a client sends in one call, taken off the wire as somebody asks for them. */
export class Requests {
  readonly #stream: ServerHttp2Stream
  readonly #encoding: string
  readonly #bytesMax: number
  readonly #frames: FrameReader
  readonly #change = () => this.#changed()
  #changed = () => {}
  #released = false

  constructor(stream: ServerHttp2Stream, encoding: string, bytesMax: number) {
    this.#stream = stream
    this.#encoding = encoding
    this.#bytesMax = bytesMax
    this.#frames = new FrameReader(bytesMax)
    for (const event of CHANGES) stream.on(event, this.#change)
  }

  /** Whether they broke off within a message. */
  get isWithinMessage(): boolean {
    return this.#frames.isWithinMessage
  }

  /**
   * The next message; undefined when there are no more. Fails in Go's words when it can't be read, with Canceled when the
   * client went away, with DeadlineExceeded when it took too long over one. For one caller at a time.
   */
  async next(): Promise<Buffer | undefined> {
    let tooLate: NodeJS.Timeout | undefined
    let isTooLate = false
    try {
      for (;;) {
        const frame = this.#frames.next()
        if (frame !== undefined) return await messageOf(frame, this.#encoding, this.#bytesMax)
        if (this.#released || this.#stream.aborted || this.#stream.destroyed) throw EtcdError.of('Canceled')
        if (isTooLate) throw EtcdError.of('DeadlineExceeded')
        const piece: Buffer | null = this.#stream.read()
        if (piece !== null) this.#frames.push(piece)
        else if (this.#stream.readableEnded) return undefined
        else {
          if (this.isWithinMessage) {
            tooLate ??= setTimeout(() => {
              isTooLate = true
              this.#changed()
            }, LIMITS.bodyTimeoutMs)
          }
          await new Promise<void>((resolve) => {
            this.#changed = resolve
          })
        }
      }
    } finally {
      clearTimeout(tooLate)
    }
  }

  /** What else comes is thrown away. */
  release(): void {
    this.#released = true
    for (const event of CHANGES) this.#stream.off(event, this.#change)
    this.#frames.release()
    this.#stream.resume()
    this.#changed()
  }
}

/** The one message of a unary call; Go doesn't look at what follows it. Fails in its words when there is none. */
export async function unaryRequest(requests: Requests): Promise<Buffer> {
  const message = await requests.next()
  if (message !== undefined) return message
  throw new EtcdError(GrpcCode.Unknown, requests.isWithinMessage ? 'unexpected EOF' : 'EOF')
}

/** The one message of a call whose answer is a stream. Fails in Go's words when it is none, or isn't the only one. */
export async function onlyRequest(requests: Requests): Promise<Buffer> {
  const message = await requests.next()
  if (message === undefined) throw brokenOff(requests) ?? cardinality('no request message from')
  if ((await requests.next()) !== undefined) throw cardinality('multiple request messages for')
  return message
}

/** All messages, each as `read` has it, of a call that may have any number. Fails in Go's words when they break off. */
export async function* manyRequests<T>(
  requests: Requests,
  read: (message: Buffer) => T,
): AsyncGenerator<T, void, undefined> {
  for (let next = await requests.next(); next !== undefined; next = await requests.next()) yield read(next)
  const error = brokenOff(requests)
  if (error !== undefined) throw error
}

function brokenOff({ isWithinMessage }: Requests): EtcdError | undefined {
  return isWithinMessage ? new EtcdError(GrpcCode.Internal, 'unexpected EOF') : undefined
}

function cardinality(received: string): EtcdError {
  const message = `cardinality violation: received ${received} non-client-streaming RPC`
  return new EtcdError(GrpcCode.Internal, message)
}
