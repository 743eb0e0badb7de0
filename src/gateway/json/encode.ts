/**
 * Writes messages as etcd's gateway does: proto names, zero values left out, 64-bit integers as strings, enums by
 * name, bytes as base64, set but empty messages as `{}`. In the readable form bytes that are UTF-8 are a string, and
 * others stand under another name, in base64.
 */
import { isUtf8 } from 'node:buffer'
import {
  FieldKind,
  type FieldTable,
  type MessageTable,
  type PlainMessage,
  type PlainOneof,
} from '../../etcd/message-table.ts'
import { encodeBase64 } from './base64.ts'
import { decodeUtf8 } from './characters.ts'

/** The JSON of a message or of an initializer for one, in which absent properties are unset fields. */
export function encode(table: MessageTable, message: PlainMessage): string {
  let json = ''
  for (const wanted of table.fields) {
    const value = shownValue(wanted, message)
    if (value === undefined) continue
    const field = wanted.base64 === undefined || isText(wanted, value) ? wanted : wanted.base64
    json += json === '' ? '{"' : ',"'
    json += field.name
    json += '":'
    json += field.list ? encodeList(field, value as unknown[]) : encodeValue(field, value)
  }
  return json === '' ? '{}' : `${json}}`
}

/** What an answer shows of a field: undefined if nothing. A oneof's member is shown even if it is zero. */
function shownValue(field: FieldTable, message: PlainMessage): unknown {
  if (field.oneof !== undefined) {
    const union = message[field.oneof.localName] as PlainOneof | undefined
    return union?.case === field.localName ? union.value : undefined
  }
  const value = message[field.localName]
  return value === undefined || isZero(field, value) ? undefined : value
}

function isZero(field: FieldTable, value: unknown): boolean {
  if (field.list) return (value as unknown[]).length === 0
  switch (field.kind) {
    case FieldKind.Message:
      return false
    case FieldKind.Bytes:
    case FieldKind.String:
      return (value as string | Uint8Array).length === 0
    case FieldKind.Int64:
    case FieldKind.Uint64:
      return value === 0n
    case FieldKind.Uint32:
    case FieldKind.Enum:
      return value === 0
    case FieldKind.Bool:
      return value === false
    default:
      throw new Error(`kind ${field.kind satisfies never}`)
  }
}

/** Whether all of a field is UTF-8: one that is not takes the whole list to base64. */
function isText({ list }: FieldTable, value: unknown): boolean {
  return list ? (value as Uint8Array[]).every(isUtf8) : isUtf8(value as Uint8Array)
}

function encodeList(field: FieldTable, elements: readonly unknown[]): string {
  let json = ''
  for (const element of elements) {
    json += json === '' ? '[' : ','
    json += encodeValue(field, element)
  }
  return `${json}]`
}

function encodeValue(field: FieldTable, value: unknown): string {
  switch (field.kind) {
    case FieldKind.Message:
      return field.message === undefined ? '{}' : encode(field.message, value as PlainMessage)
    case FieldKind.Bytes:
      if (field.base64 !== undefined) return JSON.stringify(decodeUtf8(value as Uint8Array))
      return `"${encodeBase64(value as Uint8Array)}"`
    case FieldKind.Int64:
    case FieldKind.Uint64:
      return `"${decimal(value as bigint)}"`
    case FieldKind.Uint32:
      return `${value as number}`
    case FieldKind.Bool:
      return value === true ? 'true' : 'false'
    case FieldKind.Enum: {
      const name = field.enumNames.get(value as number)
      return name === undefined ? `${value as number}` : `"${name}"`
    }
    case FieldKind.String:
      // The escapes are those of Go's protojson: neither escapes <, > and &, as Go's encoding/json would.
      return JSON.stringify(value)
    default:
      throw new Error(`kind ${field.kind satisfies never}`)
  }
}

/** A number is written faster than a bigint. */
function decimal(value: bigint): string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? `${number}` : `${value}`
}
