/** How many bytes a message takes as protobuf, which is what etcd's limits count, found without building them. */
import { Buffer } from 'node:buffer'
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import {
  FieldKind,
  type FieldTable,
  type MessageTable,
  messageTable,
  type PlainMessage,
  type PlainOneof,
} from './message-table.ts'

/** A message within the one that is asked about: where it stands and what it takes without its tag and length. */
interface Part {
  readonly table: MessageTable
  readonly message: PlainMessage
  readonly parent: Part | undefined
  readonly tag: number
  size: number
}

/** The size in bytes of the binary form of a message or initializer. Nesting of any depth is fine. */
export function protobufSize<M extends DescMessage>(schema: M, message: MessageInitShape<M>): number {
  const root: Part = {
    table: messageTable(schema),
    message: message as PlainMessage,
    parent: undefined,
    tag: 0,
    size: 0,
  }
  // Every part comes after the one that holds it, so that going backwards meets the innermost first.
  const parts = [root]
  for (let i = 0; i < parts.length; i++) addFields(parts[i]!, parts)
  for (let i = parts.length - 1; i > 0; i--) {
    const { parent, size, tag } = parts[i]!
    if (parent !== undefined) parent.size += tag + delimitedSize(size)
  }
  return root.size
}

/** Adds up the scalars of a part, and appends the messages in it to the parts. */
function addFields(part: Part, parts: Part[]): void {
  for (const field of part.table.fields) {
    const value = fieldValue(field, part.message)
    if (value === undefined) continue
    const tag = tagSize(field.number)
    if (field.message !== undefined) {
      for (const message of (field.list ? value : [value]) as PlainMessage[]) {
        parts.push({ table: field.message, message, parent: part, tag, size: 0 })
      }
    } else if (field.list) {
      part.size += listSize(field.kind, value as readonly unknown[], tag)
    } else {
      const size = scalarSize(field.kind, value)
      // What is zero is left out, except as the chosen member of a oneof.
      if (field.oneof !== undefined || !isZero(value)) part.size += tag + size
    }
  }
}

function fieldValue(field: FieldTable, message: PlainMessage): unknown {
  if (field.oneof === undefined) return message[field.localName]
  const union = message[field.oneof.localName] as PlainOneof | undefined
  return union?.case === field.localName ? union.value : undefined
}

function isZero(value: unknown): boolean {
  return value === 0n || value === 0 || value === false || (value as { length?: number }).length === 0
}

/** Numbers share one tag; strings and bytes have one each. */
function listSize(kind: FieldKind, elements: readonly unknown[], tag: number): number {
  if (elements.length === 0) return 0
  const sizes = elements.reduce((sum: number, element) => sum + scalarSize(kind, element), 0)
  const delimited = kind === FieldKind.String || kind === FieldKind.Bytes
  return delimited ? sizes + tag * elements.length : tag + delimitedSize(sizes)
}

function scalarSize(kind: FieldKind, value: unknown): number {
  switch (kind) {
    case FieldKind.Bool:
      return 1
    case FieldKind.Uint32:
    case FieldKind.Enum:
    case FieldKind.Int64:
    case FieldKind.Uint64:
      return varintSize(value as number | bigint)
    case FieldKind.String:
      return delimitedSize(Buffer.byteLength(value as string))
    case FieldKind.Bytes:
      return delimitedSize((value as Uint8Array).length)
    case FieldKind.Message:
      throw new Error('a message is not a scalar')
    default:
      throw new Error(`kind ${kind satisfies never}`)
  }
}

/** The size of what a field begins with: its number, and how its value is written. */
export function tagSize(fieldNumber: number): number {
  return smallVarintSize(fieldNumber * 8)
}

/** The size of something whose length is written before it. */
export function delimitedSize(size: number): number {
  return smallVarintSize(size) + size
}

/** The size of an integer: seven bits a byte, and negative ones as 64 bits. */
export function varintSize(value: bigint | number): number {
  if (value < 0) return 10
  if (value < SMALL) return smallVarintSize(Number(value))
  let size = 5
  for (let rest = BigInt(value) >> 28n; rest > 0x7fn; rest >>= 7n) size++
  return size
}

const SMALL = 2 ** 31

function smallVarintSize(value: number): number {
  let size = 1
  for (let rest = value; rest > 0x7f; rest >>>= 7) size++
  return size
}
