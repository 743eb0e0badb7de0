/**
 * Bytes as a string of one character a byte: a key for maps, in the order of the bytes when compared, and what regular
 * expressions can read.
 */
export function bytesToString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** The bytes of such a string. */
export function stringToBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}
