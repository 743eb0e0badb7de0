import { BodyBudget } from '../rpc/body-budget.ts'
import { checkMessageSize } from '../rpc/message-size.ts'

/** Before each message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5

/** A message as it came. */
export interface Frame {
  /** gRPC knows 0, not compressed, and 1, compressed. */
  readonly flag: number
  readonly bytes: Buffer
}

/** The frame of a message that isn't compressed. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.byteLength)
  frame.writeUInt8(0, 0)
  frame.writeUInt32BE(message.byteLength, 1)
  frame.set(message, PREFIX_BYTES)
  return frame
}

/** Puts together again the frames that came in pieces. Whoever makes one must `release` it. */
export class FrameReader {
  readonly #messageBytesMax: number
  readonly #budget = new BodyBudget()
  /** What came and isn't read yet is from `#start` to `#end` of it. */
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax
  }

  /** Whether a message has begun whose end is missing. */
  get isWithinMessage(): boolean {
    return this.#unread >= PREFIX_BYTES
  }

  get #unread(): number {
    return this.#end - this.#start
  }

  /** Takes a piece. Fails with TooManyRequests when the process holds too much that isn't complete. */
  push(piece: Buffer): void {
    this.#budget.take(piece.length)
    if (this.#unread === 0) {
      this.#buffer = piece
      this.#start = 0
      this.#end = piece.length
      return
    }
    if (this.#end + piece.length > this.#buffer.length) this.#grow(piece.length)
    this.#buffer.set(piece, this.#end)
    this.#end += piece.length
  }

  /**
   * The next frame that is complete. Fails with ResourceExhausted once the length of a message is known that is too large:
   * nobody waits for the message itself.
   */
  next(): Frame | undefined {
    if (this.#unread < PREFIX_BYTES) return undefined
    const length = this.#buffer.readUInt32BE(this.#start + 1)
    checkMessageSize(length, this.#messageBytesMax)
    if (this.#unread < PREFIX_BYTES + length) return undefined
    const flag = this.#buffer.readUInt8(this.#start)
    const begin = this.#start + PREFIX_BYTES
    this.#start = begin + length
    this.#budget.giveBack(PREFIX_BYTES + length)
    // A copy: a key that is kept would keep all that came together with it.
    return { flag, bytes: Buffer.from(this.#buffer.subarray(begin, this.#start)) }
  }

  /** Nothing more is read. May be called twice. */
  release(): void {
    this.#budget.release()
    this.#buffer = Buffer.alloc(0)
    this.#start = 0
    this.#end = 0
  }

  /** By half at least, so that what comes in very small pieces isn't moved with each. */
  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(this.#unread + Math.max(bytes, this.#unread))
    this.#buffer.copy(grown, 0, this.#start, this.#end)
    this.#end = this.#unread
    this.#start = 0
    this.#buffer = grown
  }
}
