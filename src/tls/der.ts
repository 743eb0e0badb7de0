/** ASN.1 values in DER, as far as a certificate needs them. */

function value(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...bytes]), content])
}

export const sequence = (...members: Buffer[]): Buffer => value(0x30, ...members)

export const set = (...members: Buffer[]): Buffer => value(0x31, ...members)

/** A number by its bytes, the highest first; it is negative when the first bit is set. */
export const integer = (bytes: Buffer): Buffer => value(0x02, bytes)

export const octetString = (bytes: Buffer): Buffer => value(0x04, bytes)

export const bitString = (bytes: Buffer): Buffer => value(0x03, Buffer.from([0]), bytes)

export const utf8 = (text: string): Buffer => value(0x0c, Buffer.from(text))

/** GeneralizedTime; X.509 wants the short form until 2049. */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  return date.getUTCFullYear() < 2050
    ? value(0x17, Buffer.from(digits.slice(2)))
    : value(0x18, Buffer.from(digits))
}

/** The nth choice of its context, with a value inside. */
export const explicit = (tag: number, content: Buffer): Buffer => value(0xa0 | tag, content)

/** The nth choice of its context, as bytes. */
export const context = (tag: number, bytes: Buffer): Buffer => value(0x80 | tag, bytes)

/** An object identifier in dotted form, such as `2.5.29.17`. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f]
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return value(0x06, Buffer.from([first * 40 + second, ...bytes]))
}
