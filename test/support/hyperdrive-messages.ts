/**
 * PostgreSQL's protocol 3 as far as a pooler has to understand it:
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** One message: its type is one letter, and none for the first that a client sends. */
export interface Message {
  readonly type: string
  readonly body: Buffer
}

/** What a client's first message asks for, by its number. */
export const STARTUP = { protocol3: 196_608, cancel: 80_877_102, tls: 80_877_103, gss: 80_877_104 }

/** A transaction's state as ReadyForQuery says it. */
export const IDLE = 'I'

/** Cuts what comes in on a socket into messages. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0)
  #typed: boolean

  /** `typed`: whether the first message has a type already. */
  constructor(typed: boolean) {
    this.#typed = typed
  }

  *read(data: Buffer): Generator<Message> {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data])
    for (;;) {
      const before = this.#typed ? 1 : 0
      if (this.#rest.length < before + 4) return
      const length = before + this.#rest.readInt32BE(before)
      if (this.#rest.length < length) return
      const message = {
        type: this.#rest.toString('latin1', 0, before),
        body: this.#rest.subarray(before + 4, length),
      }
      this.#rest = this.#rest.subarray(length)
      // A client that asks for TLS sends its startup message once more.
      if (!this.#typed) this.#typed = message.body.readInt32BE(0) === STARTUP.protocol3
      yield message
    }
  }
}

/** The bytes of a message. */
export function encode({ type, body }: Message): Buffer {
  const head = Buffer.alloc(type.length + 4)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, type.length)
  return Buffer.concat([head, body])
}

/** The string that begins at `offset`, and where the next field begins. */
export function readString(body: Buffer, offset = 0): { text: string; next: number } {
  const end = body.indexOf(0, offset)
  return { text: body.toString('utf8', offset, end), next: end + 1 }
}

/** A message of strings alone. */
export const ofStrings = (type: string, ...texts: readonly string[]): Message => ({
  type,
  body: Buffer.from(texts.map((text) => `${text}\0`).join('')),
})

/** A connection's first message. */
export function startup(parameters: Readonly<Record<string, string>>): Message {
  const version = Buffer.alloc(4)
  version.writeInt32BE(STARTUP.protocol3)
  const fields = Object.entries(parameters).flat()
  return { type: '', body: Buffer.concat([version, ofStrings('', ...fields, '').body]) }
}

export const readyForQuery = (status: string): Message => ({ type: 'Z', body: Buffer.from(status) })

/** An ErrorResponse that ends a statement, not the session; `more` are further fields, by their letters. */
export const errorResponse = (
  sqlstate: string,
  text: string,
  more: Readonly<Record<string, string | undefined>> = {},
): Message => {
  const fields = Object.entries(more).flatMap(([letter, value]) =>
    value === undefined ? [] : [letter + value],
  )
  return ofStrings('E', 'SERROR', 'VERROR', `C${sqlstate}`, `M${text}`, ...fields, '')
}

/** What is sent to a client that may begin: whoever it is. */
export const WELCOME: readonly Message[] = [
  { type: 'R', body: Buffer.alloc(4) },
  ofStrings('S', 'client_encoding', 'UTF8'),
  ofStrings('S', 'standard_conforming_strings', 'on'),
  { type: 'K', body: Buffer.alloc(8) },
  readyForQuery(IDLE),
]
