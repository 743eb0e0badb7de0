import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'

/** Bytes of bodies that are being received, by all requests of the process together. */
let receivingBytes = 0

/** One body's share of what a process may hold of bodies that aren't complete: `LIMITS.bodiesBytesMax`. */
export class BodyBudget {
  #bytes = 0

  /** Takes more for this body. Fails with TooManyRequests when the process holds too much already. */
  take(bytes: number): void {
    if (receivingBytes + bytes > LIMITS.bodiesBytesMax) throw EtcdError.of('TooManyRequests')
    this.#bytes += bytes
    receivingBytes += bytes
  }

  /** Gives all back: the body, or a message of it, is complete, or nobody waits for it any more. May be called again. */
  release(): void {
    receivingBytes -= this.#bytes
    this.#bytes = 0
  }
}
