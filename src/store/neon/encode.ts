import type { SqlParameter, SqlScalar, SqlType } from '../sql.ts'

/** A parameter in PostgreSQL's text form, since Neon takes them as JSON. */
export function textParameter(type: SqlType, value: SqlParameter): string | null {
  if (value === null) return null
  switch (type) {
    case 'int8':
    case 'int4':
    case 'bool':
    case 'text':
      return String(value)
    case 'bytea':
      return `\\x${hexOf(value as Uint8Array)}`
    case 'int2[]':
    case 'int4[]':
    case 'int8[]':
      return textArray(value as readonly SqlScalar[], String)
    case 'bytea[]':
      return textArray(value as readonly SqlScalar[], (bytes) => `"\\\\x${hexOf(bytes as Uint8Array)}"`)
    default:
      return type satisfies never
  }
}

function textArray(values: readonly SqlScalar[], text: (value: SqlScalar) => string): string {
  return `{${values.map((value) => (value === null ? 'NULL' : text(value))).join()}}`
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
