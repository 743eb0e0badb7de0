/** Keys are bytes, and a URL has few characters: how one is written in the other. */

import { bytesToString, stringToBytes } from '../../byte-string.ts'

/** The bytes of percent-encoded text; undefined when an escape is broken. */
export function decodePercent(text: string): Uint8Array | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined
  const characters = text.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  return stringToBytes(characters)
}

/** Percent-encodes all but slashes and what URLs reserve for nothing. */
export function encodePercent(bytes: Uint8Array): string {
  return bytesToString(bytes).replace(
    /[^\w.~/-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/**
 * The path and query at which a key is found, which no client or proxy that cleans paths makes another's. `parameters`
 * are further members of the query.
 */
export function keyUrl(key: Uint8Array, parameters: readonly string[] = []): string {
  const encoded = encodePercent(key)
  // A path can't end in a dot segment; %2E is one, too.
  if (encoded === '.' || encoded === '..') return withQuery('', [`key=${encoded}`, ...parameters])
  const isClean = !/(^|\/)\.{0,2}\/|\/\.{1,2}$/.test(encoded)
  return withQuery(isClean ? encoded : encoded.replaceAll('/', '%2F'), parameters)
}

function withQuery(path: string, parameters: readonly string[]): string {
  return `/keys/${path}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`
}
