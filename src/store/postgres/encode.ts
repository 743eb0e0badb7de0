import type { SqlParameter, SqlScalar, SqlType, Statement } from '../sql.ts'

/** The element types of the array parameters: object id, and how one element is written. */
const ELEMENTS = {
  'int2[]': {
    oid: 21,
    size: () => 2,
    write: (b: Buffer, v: SqlScalar, at: number) => b.writeInt16BE(v as number, at),
  },
  'int4[]': {
    oid: 23,
    size: () => 4,
    write: (b: Buffer, v: SqlScalar, at: number) => b.writeInt32BE(v as number, at),
  },
  'int8[]': {
    oid: 20,
    size: () => 8,
    write: (b: Buffer, v: SqlScalar, at: number) => b.writeBigInt64BE(v as bigint, at),
  },
  'bytea[]': {
    oid: 17,
    size: (v: SqlScalar) => (v as Uint8Array).length,
    write: (b: Buffer, v: SqlScalar, at: number) => b.set(v as Uint8Array, at),
  },
} as const

/**
 * PostgreSQL's binary array format: a 20 byte header (dimensions, null flag, element type, length, lower bound), then
 * each element's length and bytes. Nothing is turned into hexadecimal on the way.
 */
function encodeArray(type: keyof typeof ELEMENTS, values: readonly SqlScalar[]): Buffer {
  const { oid, size, write } = ELEMENTS[type]
  let length = 20
  let nulls = 0
  for (const value of values) {
    if (value === null) nulls = 1
    length += 4 + (value === null ? 0 : size(value))
  }
  const out = Buffer.allocUnsafe(length)
  out.writeInt32BE(1, 0)
  out.writeInt32BE(nulls, 4)
  out.writeInt32BE(oid, 8)
  out.writeInt32BE(values.length, 12)
  out.writeInt32BE(1, 16)
  let at = 20
  for (const value of values) {
    if (value === null) {
      at = out.writeInt32BE(-1, at)
      continue
    }
    const bytes = size(value)
    at = out.writeInt32BE(bytes, at)
    write(out, value, at)
    at += bytes
  }
  return out
}

/** A parameter as `pg` sends it: a Buffer travels as binary, a string as text. */
export function encodeParameter(type: SqlType, value: SqlParameter): string | Buffer | null {
  if (value === null) return null
  switch (type) {
    case 'int8':
    case 'int4':
    case 'bool':
    case 'text':
      return String(value)
    case 'bytea': {
      const bytes = value as Uint8Array
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    case 'int2[]':
    case 'int4[]':
    case 'int8[]':
    case 'bytea[]':
      return encodeArray(type, value as readonly SqlScalar[])
    default:
      return type satisfies never
  }
}

/** The parameters of a statement, each as `encode` has it. Fails with a TypeError when there are too few or too many. */
export function encodeAll<T>(
  { name, types }: Statement,
  parameters: readonly SqlParameter[],
  encode: (type: SqlType, value: SqlParameter) => T,
): T[] {
  if (parameters.length !== types.length) {
    throw new TypeError(`${name} takes ${types.length} parameters, got ${parameters.length}`)
  }
  return types.map((type, i) => encode(type, parameters[i] ?? null))
}
