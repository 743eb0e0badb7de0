/** The bytes that JSON is made of, by name, and Go's ways to speak of characters in its error messages. */

export const Byte = {
  Tab: 0x09,
  Newline: 0x0a,
  Return: 0x0d,
  Space: 0x20,
  Quote: 0x22,
  Plus: 0x2b,
  Comma: 0x2c,
  Minus: 0x2d,
  Dot: 0x2e,
  Slash: 0x2f,
  Zero: 0x30,
  Nine: 0x39,
  Colon: 0x3a,
  Equals: 0x3d,
  UpperE: 0x45,
  OpenBracket: 0x5b,
  Backslash: 0x5c,
  CloseBracket: 0x5d,
  LowerE: 0x65,
  LowerF: 0x66,
  LowerL: 0x6c,
  LowerN: 0x6e,
  LowerR: 0x72,
  LowerS: 0x73,
  LowerT: 0x74,
  LowerU: 0x75,
  OpenBrace: 0x7b,
  CloseBrace: 0x7d,
} as const

/** Whether JSON allows this byte between tokens. */
export function isSpace(byte: number | undefined): boolean {
  return byte === Byte.Space || byte === Byte.Newline || byte === Byte.Return || byte === Byte.Tab
}

/** Strict and keeping a byte order mark: protobuf's strings are valid UTF-8, byte by byte what was sent. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of some UTF-8; undefined if it is not valid. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

const encoder = new TextEncoder()

/** The UTF-8 of a text without lone surrogates. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** A single byte as Go's encoding/json names the character that it didn't expect, quotes included. */
export function quoteByte(byte: number): string {
  if (byte === Byte.Quote) return `'"'`
  if (byte === 0x27) return `'\\''`
  return `'${quoteRune(String.fromCharCode(byte))}'`
}

/** Bytes as Go's `%q` writes them: a quoted string, with what is not valid UTF-8 as `\xNN`. */
export function quoteBytes(bytes: Uint8Array): string {
  let text = ''
  let at = 0
  while (at < bytes.length) {
    const width = [1, 2, 3, 4].find((n) => decodeUtf8(bytes.subarray(at, at + n)) !== undefined)
    const rune = width && decodeUtf8(bytes.subarray(at, at + width))
    text += rune ? quoteRune(rune) : `\\x${hex(bytes[at] ?? 0, 2)}`
    at += width ?? 1
  }
  return `"${text}"`
}

const NAMED_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

function quoteRune(rune: string): string {
  const named = NAMED_ESCAPES[rune]
  if (named !== undefined) return named
  if (PRINTABLE.test(rune)) return rune
  const code = rune.codePointAt(0) ?? 0
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
