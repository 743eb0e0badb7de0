import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'

/** Bytes of bodies that are being received, by all requests of the process together, but for the first of each. */
let receivingBytes = 0
let receivingBytesMax: number = LIMITS.bodiesBytesMax

/** Says what a process may hold of bodies that aren't complete, in bytes, where that isn't `LIMITS.bodiesBytesMax`. */
export function boundBodies(bytesMax: number): void {
  receivingBytesMax = bytesMax
}

/**
 * One body's share of what a process may hold of bodies that aren't complete. Its first bytes are
 * free, so that somebody who holds all there is, and never ends, keeps nobody from asking for something small.
 */
export class BodyBudget {
  #bytes = 0
  /** How much of it counts. */
  #counted = 0

  /** Takes more for this body. Fails with TooManyRequests when the process holds too much already. */
  take(bytes: number): void {
    const counted = Math.max(0, this.#bytes + bytes - LIMITS.bodyBytesFree)
    if (receivingBytes + counted - this.#counted > receivingBytesMax) throw EtcdError.of('TooManyRequests')
    receivingBytes += counted - this.#counted
    this.#counted = counted
    this.#bytes += bytes
  }

  /** Gives a part back, which turned out to be nothing that is held. */
  giveBack(bytes: number): void {
    this.take(-Math.min(bytes, this.#bytes))
  }

  /** Gives all back: the body, or a message of it, is complete, or nobody waits for it any more. May be called again. */
  release(): void {
    receivingBytes -= this.#counted
    this.#counted = 0
    this.#bytes = 0
  }
}
