/**
 * The tokens of one JSON value whose syntax is known to be right, with what Go's protojson still finds wrong in
 * them: strings that are not Unicode. Positions and words of the errors are Go's.
 */
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { Byte, decodeUtf8, isSpace, quoteBytes } from './characters.ts'

export const TokenKind = {
  Null: 0,
  Bool: 1,
  Number: 2,
  /** Also the name of an object's member. */
  String: 3,
  OpenObject: 4,
  CloseObject: 5,
  OpenList: 6,
  CloseList: 7,
} as const
export type TokenKind = (typeof TokenKind)[keyof typeof TokenKind]

export interface Token {
  readonly kind: TokenKind
  /** Where it begins and, exclusive, ends, in bytes. */
  readonly start: number
  readonly end: number
  /** What a string says, its escapes resolved; empty for other tokens. */
  readonly text: string
}

/** protojson's error: `proto: ` and the words. */
export function protoError(words: string): EtcdError {
  return new EtcdError(GrpcCode.InvalidArgument, `proto: ${words}`)
}

export class TokenReader {
  readonly #bytes: Uint8Array
  #at = 0

  /** `bytes` is exactly one JSON value. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The first byte of the next token; it tells everything but a string's kind. */
  peek(): number {
    const bytes = this.#bytes
    // Commas and colons stand where the syntax wants them, so they tell nothing.
    while (isSpace(bytes[this.#at]) || bytes[this.#at] === Byte.Comma || bytes[this.#at] === Byte.Colon)
      this.#at++
    return bytes[this.#at] ?? 0
  }

  /** The next token. Throws an InvalidArgument if it is a string that is not Unicode. */
  read(): Token {
    const first = this.peek()
    const start = this.#at
    switch (first) {
      case Byte.OpenBrace:
        return this.#token(TokenKind.OpenObject, 1)
      case Byte.CloseBrace:
        return this.#token(TokenKind.CloseObject, 1)
      case Byte.OpenBracket:
        return this.#token(TokenKind.OpenList, 1)
      case Byte.CloseBracket:
        return this.#token(TokenKind.CloseList, 1)
      case Byte.LowerN:
        return this.#token(TokenKind.Null, 4)
      case Byte.LowerT:
        return this.#token(TokenKind.Bool, 4)
      case Byte.LowerF:
        return this.#token(TokenKind.Bool, 5)
      case Byte.Quote:
        return this.#string(start)
      default:
        return this.#token(TokenKind.Number, this.#numberLength())
    }
  }

  /** The token as it was sent. */
  raw(token: Token): string {
    return decodeUtf8(this.#bytes.subarray(token.start, token.end)) ?? ''
  }

  /** A position for error messages, `line:column`, both from 1, the column in characters. */
  position(at: number): string {
    const bytes = this.#bytes
    const lineStart = at === 0 ? 0 : bytes.lastIndexOf(Byte.Newline, at - 1) + 1
    let line = 1
    for (let i = 0; i < lineStart; i++) if (bytes[i] === Byte.Newline) line++
    let column = 1
    // A character is one byte that does not continue another.
    for (let i = lineStart; i < at; i++) if ((bytes[i]! & 0xc0) !== 0x80) column++
    return `${line}:${column}`
  }

  /** The error of a token that stands where another kind of value must. */
  unexpected(token: Token): EtcdError {
    return this.#syntaxError(token.start, `unexpected token ${this.raw(token)}`)
  }

  #token(kind: TokenKind, length: number): Token {
    const start = this.#at
    this.#at += length
    return { kind, start, end: this.#at, text: '' }
  }

  #numberLength(): number {
    let end = this.#at
    for (let byte = this.#bytes[end]; byte !== undefined && !endsNumber(byte); byte = this.#bytes[end]) end++
    return end - this.#at
  }

  #string(start: number): Token {
    const text = this.#text(start)
    return { kind: TokenKind.String, start, end: this.#at, text }
  }

  /** What the string that begins here says; leaves the position after it. */
  #text(start: number): string {
    const bytes = this.#bytes
    let text = ''
    let at = start + 1
    for (;;) {
      let end = at
      while (bytes[end] !== Byte.Quote && bytes[end] !== Byte.Backslash) end++
      const run = end === at ? '' : decodeUtf8(bytes.subarray(at, end))
      if (run === undefined) throw this.#syntaxError(start, 'invalid UTF-8 in string')
      text += run
      at = end + 1
      if (bytes[end] === Byte.Quote) break
      const letter = String.fromCharCode(bytes[at] ?? 0)
      if (letter === 'u') {
        const character = this.#unicodeEscape(end, start)
        text += character
        at = end + 6 * character.length
      } else {
        text += ESCAPED[letter] ?? letter
        at++
      }
    }
    this.#at = at
    return text
  }

  /** The character of the escape that begins at `at`, which may need a second escape for its other half. */
  #unicodeEscape(at: number, stringStart: number): string {
    const bytes = this.#bytes
    const unit = this.#hexUnit(at)
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit)
    const next = at + 6
    // Go counts what is left of the whole value, not of the string.
    if (bytes.length - next < 6) throw protoError('unexpected EOF')
    const paired = bytes[next] === Byte.Backslash && bytes[next + 1] === Byte.LowerU
    const low = paired ? this.#hexUnit(next) : 0
    if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) {
      const found = quoteBytes(bytes.subarray(next, next + 6))
      throw this.#syntaxError(stringStart, `invalid escape code ${found} in string`)
    }
    return String.fromCharCode(unit, low)
  }

  /** The four hexadecimal digits of the escape at `at`. */
  #hexUnit(at: number): number {
    let unit = 0
    for (let i = at + 2; i < at + 6; i++) {
      const byte = this.#bytes[i]!
      unit = unit * 16 + (byte <= Byte.Nine ? byte - Byte.Zero : (byte | 0x20) - LOWER_A + 10)
    }
    return unit
  }

  #syntaxError(at: number, words: string): EtcdError {
    return protoError(`syntax error (line ${this.position(at)}): ${words}`)
  }
}

const LOWER_A = 0x61

const ESCAPED: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

function endsNumber(byte: number): boolean {
  return isSpace(byte) || byte === Byte.Comma || byte === Byte.CloseBrace || byte === Byte.CloseBracket
}
