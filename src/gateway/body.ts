import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { BodyBudget } from '../rpc/body-budget.ts'

export const BODY_TOO_LARGE = new EtcdError(
  GrpcCode.ResourceExhausted,
  `the body of the request is larger than max (${LIMITS.bodyBytesMax})`,
)

/**
 * A body grows no further than `LIMITS.bodyBytesMax`; the message in it has its own, smaller limit. Whoever makes one must
 * `release` it.
 */
export class BodyBuffer {
  readonly #chunks: Uint8Array[] = []
  readonly #budget = new BodyBudget()
  #length = 0

  /** Fails with ResourceExhausted when the body is too large, or too much is being received. */
  push(chunk: Uint8Array): void {
    if (this.#length + chunk.byteLength > LIMITS.bodyBytesMax) throw BODY_TOO_LARGE
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
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const buffer = new BodyBuffer()
  try {
    for await (const chunk of body) buffer.push(chunk)
    return buffer.bytes()
  } finally {
    buffer.release()
  }
}
