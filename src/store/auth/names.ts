const encoder = new TextEncoder()
/** `ignoreBOM` keeps a name's first character when it is U+FEFF. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** A user's or role's name as the store keeps it. */
export function nameBytes(name: string): Uint8Array {
  return encoder.encode(name)
}

/** The name that nameBytes made. */
export function nameOf(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
