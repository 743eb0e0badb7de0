import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { BodyBudget } from '../rpc/body-budget.ts'
import type { RpcContext } from '../rpc/context.ts'

/** The message in a body has a smaller limit of its own, which `--max-request-bytes` may raise. */
export function bodyBytesMaxOf({ messageBytesMax }: Pick<RpcContext, 'messageBytesMax'>): number {
  return Math.max(LIMITS.bodyBytesMax, 2 * messageBytesMax)
}

/** A body is larger than it may be. */
export class BodyTooLarge extends EtcdError {
  constructor(bytesMax: number) {
    super(GrpcCode.ResourceExhausted, `the body of the request is larger than max (${bytesMax})`)
  }
}

/** A body that grows no further than `bytesMax`. Whoever makes one must `release` it. */
export class BodyBuffer {
  readonly #bytesMax: number
  readonly #chunks: Uint8Array[] = []
  readonly #budget = new BodyBudget()
  #length = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Fails with ResourceExhausted when the body is too large, or too much is being received. */
  push(chunk: Uint8Array): void {
    if (this.#length + chunk.byteLength > this.#bytesMax) throw new BodyTooLarge(this.#bytesMax)
    this.#budget.take(chunk.byteLength)
    this.#length += chunk.byteLength
    this.#chunks.push(chunk)
  }

  /** The body has been received, or nobody waits for it any more. May be called twice. */
  release(): void {
    this.#budget.release()
  }

  bytes(): Uint8Array {
    const [first] = this.#chunks
    if (first !== undefined && this.#chunks.length === 1) return first
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const chunk of this.#chunks) {
      all.set(chunk, at)
      at += chunk.byteLength
    }
    return all
  }
}

/** Reads a whole body. Fails with ResourceExhausted when it is too large, or as its source does. */
export async function readBody(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const buffer = new BodyBuffer(bytesMax)
  try {
    for await (const chunk of body) buffer.push(chunk)
    return buffer.bytes()
  } finally {
    buffer.release()
  }
}
