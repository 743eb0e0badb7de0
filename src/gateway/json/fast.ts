/**
 * The reader for what clients send all day: right JSON with known, unescaped field names and plain numbers, in one
 * pass over the bytes. Whatever is unusual, errors included, it leaves to the exact reader; what it does read, the
 * exact reader would read alike.
 */
import { isUtf8 } from 'node:buffer'
import { FieldKind, type FieldTable, type MessageTable, type PlainMessage } from '../../etcd/message-table.ts'
import { decodeBase64Bytes } from './base64.ts'
import { Byte, decodeUtf8 } from './characters.ts'
import { checkMessages } from './messages.ts'

/** Messages within messages; real ones have a handful, and each costs stack. */
const DEPTH_MAX = 32

/** Decimal digits that a double holds exactly, and those of the largest 64-bit integers that are read here. */
const EXACT_DIGITS = 15
const INT64_DIGITS = 19
const EXACT_SCALE = 10n ** 15n

/** Thrown, and caught below, where the exact reader must decide. Made once, for a stack trace is dear. */
const UNUSUAL = new Error('unusual JSON')

/** Reads a message from a body, or gives undefined if the exact reader must. */
export function decodeFast(table: MessageTable, body: Uint8Array): PlainMessage | undefined {
  try {
    return new FastDecoder(body).decode(table)
  } catch (error) {
    if (error === UNUSUAL) return undefined
    throw error
  }
}

class FastDecoder {
  readonly #bytes: Uint8Array
  #at = 0
  #depth = 0
  #messages = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  decode(table: MessageTable): PlainMessage {
    return this.#next() === undefined ? table.create() : this.#message(table)
  }

  /** The next byte that isn't space, without going past it. */
  #next(): number | undefined {
    let byte = this.#bytes[this.#at]
    while (byte === Byte.Space || byte === Byte.Newline || byte === Byte.Return || byte === Byte.Tab) {
      byte = this.#bytes[++this.#at]
    }
    return byte
  }

  #expect(byte: number): void {
    if (this.#next() !== byte) throw UNUSUAL
    this.#at++
  }

  /** Whether another member or element follows. */
  #comma(): boolean {
    if (this.#next() !== Byte.Comma) return false
    this.#at++
    return true
  }

  #message(table: MessageTable): PlainMessage {
    if (++this.#depth > DEPTH_MAX) throw UNUSUAL
    checkMessages(++this.#messages)
    this.#expect(Byte.OpenBrace)
    const message = table.create()
    let seen = 0
    let more = this.#next() !== Byte.CloseBrace
    while (more) {
      const field = this.#name(table)
      if ((seen & field.bit) !== 0) throw UNUSUAL
      seen |= field.bit
      this.#expect(Byte.Colon)
      if (this.#next() === Byte.LowerN) this.#word('null')
      else this.#member(message, field)
      more = this.#comma()
    }
    this.#expect(Byte.CloseBrace)
    this.#depth--
    return message
  }

  #name(table: MessageTable): FieldTable {
    this.#expect(Byte.Quote)
    const start = this.#at
    const length = this.#stringEnd() - start
    this.#at += length + 1
    for (const { bytes, field } of table.spellings) {
      if (bytes.length === length && this.#matches(bytes, start)) return field
    }
    throw UNUSUAL
  }

  #matches(bytes: Uint8Array, start: number): boolean {
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== this.#bytes[start + i]) return false
    return true
  }

  /** Where the string that the position is in ends, escapes not counted. */
  #stringEnd(): number {
    const bytes = this.#bytes
    for (let at = this.#at; at < bytes.length; at++) if (bytes[at] === Byte.Quote) return at
    throw UNUSUAL
  }

  #member(message: PlainMessage, field: FieldTable): void {
    const { oneof } = field
    if (field.list) {
      this.#list(message[field.localName] as unknown[], field)
    } else if (oneof === undefined) {
      const value = this.#value(field)
      if (value !== undefined) message[field.localName] = value
    } else {
      const union = message[oneof.localName] as { case: string | undefined; value: unknown }
      if (union.case !== undefined) throw UNUSUAL
      union.case = field.localName
      union.value = this.#value(field)
      if (union.value === undefined) throw UNUSUAL
    }
  }

  #list(elements: unknown[], field: FieldTable): void {
    this.#expect(Byte.OpenBracket)
    let more = this.#next() !== Byte.CloseBracket
    while (more) {
      this.#next()
      const value = this.#value(field)
      if (value !== undefined) elements.push(value)
      more = this.#comma()
    }
    this.#expect(Byte.CloseBracket)
  }

  /** The value at the position; undefined if it is the unknown name of an enum's member. */
  #value(field: FieldTable): unknown {
    switch (field.kind) {
      case FieldKind.Bool:
        return this.#bool()
      case FieldKind.Bytes:
        return field.base64 === undefined ? this.#base64() : this.#text()
      case FieldKind.Int64:
        return this.#int64()
      case FieldKind.Enum:
        return this.#enum(field)
      case FieldKind.String:
        return this.#string()
      case FieldKind.Message:
        return field.message === undefined ? undefined : this.#message(field.message)
      case FieldKind.Uint64: {
        const value = this.#int64()
        if (value < 0n) throw UNUSUAL
        return value
      }
      case FieldKind.Uint32:
        throw UNUSUAL
      default:
        throw new Error(`kind ${field.kind satisfies never}`)
    }
  }

  #bool(): boolean {
    const value = this.#bytes[this.#at] === Byte.LowerT
    this.#word(value ? 'true' : 'false')
    return value
  }

  #word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#bytes[this.#at + i] !== word.charCodeAt(i)) throw UNUSUAL
    }
    this.#at += word.length
  }

  #base64(): Uint8Array {
    this.#expect(Byte.Quote)
    const end = this.#bytes.indexOf(Byte.Quote, this.#at)
    if (end === -1) throw UNUSUAL
    const value = decodeBase64Bytes(this.#bytes, this.#at, end) ?? this.#escapedBase64(end)
    this.#at = end + 1
    return value
  }

  /** PHP's and Lua's encoders escape the slash, which is a digit of base64. */
  #escapedBase64(end: number): Uint8Array {
    // A copy, which a Buffer's slice is not.
    const text = new Uint8Array(this.#bytes.subarray(this.#at, end))
    let length = 0
    for (let at = 0; at < text.length; at++) {
      if (text[at] === Byte.Backslash && text[++at] !== Byte.Slash) throw UNUSUAL
      text[length++] = text[at]!
    }
    const value = decodeBase64Bytes(text, 0, length)
    if (value === undefined) throw UNUSUAL
    return value
  }

  /** The bytes of a string of the readable form. */
  #text(): Uint8Array {
    this.#expect(Byte.Quote)
    const end = this.#stringEnd()
    const raw = this.#bytes.subarray(this.#at, end)
    if (!raw.every(isPlain) || !isUtf8(raw)) throw UNUSUAL
    this.#at = end + 1
    // A copy, so that a key doesn't keep a whole body alive.
    return new Uint8Array(raw)
  }

  #string(): string {
    this.#expect(Byte.Quote)
    const end = this.#stringEnd()
    const raw = this.#bytes.subarray(this.#at, end)
    const text = raw.every(isPlain) ? decodeUtf8(raw) : undefined
    if (text === undefined) throw UNUSUAL
    this.#at = end + 1
    return text
  }

  #enum(field: FieldTable): number | undefined {
    if (this.#bytes[this.#at] === Byte.Quote) return field.enumNumbers.get(this.#string())
    const value = this.#int64()
    if (value !== BigInt.asIntN(32, value)) throw UNUSUAL
    return Number(value)
  }

  /** An integer as nearly everybody writes it: digits alone, in quotes or not. */
  #int64(): bigint {
    const bytes = this.#bytes
    const quoted = bytes[this.#at] === Byte.Quote
    if (quoted) this.#at++
    const negative = bytes[this.#at] === Byte.Minus
    if (negative) this.#at++
    const start = this.#at
    let end = start
    while (isDigit(bytes[end])) end++
    const length = end - start
    if (length === 0 || length > INT64_DIGITS || (bytes[start] === Byte.Zero && length > 1)) throw UNUSUAL
    this.#at = end
    if (quoted) {
      if (bytes[end] !== Byte.Quote) throw UNUSUAL
      this.#at++
    }
    const magnitude = this.#digits(start, end)
    const value = negative ? -magnitude : magnitude
    if (length === INT64_DIGITS && value !== BigInt.asIntN(64, value)) throw UNUSUAL
    return value
  }

  #digits(start: number, end: number): bigint {
    const split = Math.max(start, end - EXACT_DIGITS)
    const low = BigInt(this.#exactDigits(split, end))
    return split === start ? low : BigInt(this.#exactDigits(start, split)) * EXACT_SCALE + low
  }

  #exactDigits(start: number, end: number): number {
    let value = 0
    for (let at = start; at < end; at++) value = value * 10 + (this.#bytes[at]! - Byte.Zero)
    return value
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= Byte.Zero && byte <= Byte.Nine
}

/** Whether a byte of a string stands for itself: no escape, and nothing that JSON forbids. */
function isPlain(byte: number): boolean {
  return byte >= Byte.Space && byte !== Byte.Backslash
}
