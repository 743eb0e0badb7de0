/** The request side of a stream over HTTP: several JSON values in one body, with or without space between them. */
import { Buffer } from 'node:buffer'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { SyntaxScanner } from './syntax.ts'

/**
 * Splits a body that is still growing into its JSON values, each as soon as its last byte has come (a bare number's
 * end is known only by what follows it). After an error nothing later in the body is read.
 *
 * @example
 * const values = new JsonStream()
 * for await (const chunk of body) for (const value of values.push(chunk)) handle(decodeJson(schema, value))
 * for (const value of values.end()) handle(decodeJson(schema, value))
 */
export class JsonStream {
  #scanner = new SyntaxScanner()
  /** The value's bytes in earlier chunks. */
  #held: Uint8Array[] = []
  #heldBytes = 0;

  /**
   * Takes the next chunk and gives the values that it completes. Throws, after those, an InvalidArgument with Go's
   * words if the syntax is wrong, or `request is too large` if one value exceeds the limit of a body. A chunk must be
   * iterated to its end before the next is pushed.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let start = 0
    for (;;) {
      const end = this.#scanner.scan(chunk, start)
      if (end === -1) break
      yield this.#take(chunk.subarray(start, end))
      start = end
    }
    if (this.#scanner.started) this.#hold(chunk.subarray(start))
  }

  /** Whether the beginning of a value waits for its end. */
  get holds(): boolean {
    return this.#heldBytes > 0
  }

  /** The body has ended: gives what is complete by that. Throws an InvalidArgument if a value is cut off. */
  *end(): Generator<Uint8Array, void, undefined> {
    if (this.#scanner.end()) yield this.#take(new Uint8Array(0))
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length
    if (this.#heldBytes > LIMITS.bodyBytesMax) throw EtcdError.of('RequestTooLarge')
    this.#held.push(bytes)
  }

  #take(last: Uint8Array): Uint8Array {
    const value = this.#held.length === 0 ? last : Buffer.concat([...this.#held, last])
    this.#scanner = new SyntaxScanner()
    this.#held = []
    this.#heldBytes = 0
    return value
  }
}
