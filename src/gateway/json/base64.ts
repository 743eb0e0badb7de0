/**
 * Base64 between JSON text and bytes. Reading takes the liberties of Go's protojson: standard or URL alphabet but
 * not both, padding right or absent, line ends ignored, spare bits of any value.
 */
import { Buffer } from 'node:buffer'
import { Byte } from './characters.ts'

const COMMON = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const STANDARD = sextets(`${COMMON}+/`)
const URL_SAFE = sextets(`${COMMON}-_`)

const EMPTY = new Uint8Array(0)

/** The six bits of each character of an alphabet, and 255 for what isn't in it. */
function sextets(alphabet: string): Uint8Array {
  const table = new Uint8Array(256).fill(255)
  for (let i = 0; i < 64; i++) table[alphabet.charCodeAt(i)] = i
  return table
}

/**
 * Decodes the base64 text that a JSON string says, its escapes resolved. Gives undefined for what Go refuses.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text)
  // Go decides this by the length of the whole text, line ends included.
  const padded = bytes.length % 4 === 0
  const digits = bytes.filter((byte) => byte !== Byte.Newline && byte !== Byte.Return)
  return (
    decode(digits, 0, digits.length, padded, STANDARD) ?? decode(digits, 0, digits.length, padded, URL_SAFE)
  )
}

/** The same for a text without line ends that stands at `text[start, end)`: those it refuses. */
export function decodeBase64Bytes(text: Uint8Array, start: number, end: number): Uint8Array | undefined {
  const padded = (end - start) % 4 === 0
  return decode(text, start, end, padded, STANDARD) ?? decode(text, start, end, padded, URL_SAFE)
}

function decode(
  text: Uint8Array,
  start: number,
  end: number,
  padded: boolean,
  table: Uint8Array,
): Uint8Array | undefined {
  if (start === end) return EMPTY
  if (padded && (end - start) % 4 !== 0) return undefined
  let stop = end
  if (padded && text[end - 1] === Byte.Equals) stop = text[end - 2] === Byte.Equals ? end - 2 : end - 1
  const rest = (stop - start) % 4
  if (rest === 1) return undefined
  const bytes = new Uint8Array(((stop - start) * 3) >> 2)
  // Every index below lies within its array: the text has stop - start characters, the table 256 entries.
  let at = start
  let to = 0
  for (const whole = stop - rest; at < whole; at += 4) {
    const a = table[text[at]!]!
    const b = table[text[at + 1]!]!
    const c = table[text[at + 2]!]!
    const d = table[text[at + 3]!]!
    if ((a | b | c | d) > 63) return undefined
    bytes[to] = (a << 2) | (b >> 4)
    bytes[to + 1] = (b << 4) | (c >> 2)
    bytes[to + 2] = (c << 6) | d
    to += 3
  }
  if (rest === 0) return bytes
  const a = table[text[at]!]!
  const b = table[text[at + 1]!]!
  const c = rest === 3 ? table[text[at + 2]!]! : 0
  if ((a | b | c) > 63) return undefined
  bytes[to] = (a << 2) | (b >> 4)
  if (rest === 3) bytes[to + 1] = (b << 4) | (c >> 2)
  return bytes
}

/** Short arrays are encoded from here: making a Buffer for each costs more than copying it. */
const scratch = Buffer.allocUnsafeSlow(4096)

/** Standard, padded base64. */
export function encodeBase64(bytes: Uint8Array): string {
  const length = bytes.length
  if (length === 0) return ''
  if (length > scratch.length) return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('base64')
  scratch.set(bytes)
  return scratch.toString('base64', 0, length)
}
