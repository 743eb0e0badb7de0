/**
 * What a message type consists of, compiled once from its descriptor into the flat form that the JSON mapping and
 * the size computation run on: one array to loop over, no reflection for a field at run time.
 */
import { Buffer } from 'node:buffer'
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'

/** The kinds of field that etcd's interface has. */
export const FieldKind = {
  Bool: 0,
  Uint32: 1,
  Int64: 2,
  Uint64: 3,
  String: 4,
  Bytes: 5,
  Enum: 6,
  Message: 7,
} as const
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind]

/** protobuf's names of the kinds, as Go's error messages write them. */
export const FIELD_KIND_NAMES = [
  'bool',
  'uint32',
  'int64',
  'uint64',
  'string',
  'bytes',
  'enum',
  'message',
] as const

export interface OneofTable {
  /** The property that holds `{ case, value }`. */
  readonly localName: string
  /** As in `etcdserverpb.RequestOp.request`. */
  readonly fullName: string
}

export interface FieldTable {
  /** As in the proto and in etcd's answers: `range_end`. */
  readonly name: string
  /** The other spelling that requests may use: `rangeEnd`. */
  readonly jsonName: string
  /** The property of the message, or the case of its oneof. */
  readonly localName: string
  readonly number: number
  readonly kind: FieldKind
  readonly list: boolean
  readonly oneof: OneofTable | undefined
  /** One bit of 32, different for each field of the message. */
  readonly bit: number
  /** The members of an enum. Of two names for one number the first is the one that answers use. */
  readonly enumNumbers: ReadonlyMap<string, number>
  readonly enumNames: ReadonlyMap<number, string>
  /** The type of a message field. */
  readonly message: MessageTable | undefined
  /** Of bytes in the readable form, which are text here: the same field in base64, under its own name. */
  readonly base64: FieldTable | undefined
}

export interface Spelling {
  readonly bytes: Uint8Array
  readonly field: FieldTable
}

export interface MessageTable {
  /** In the order of the proto, which is the order of etcd's answers. */
  readonly fields: readonly FieldTable[]
  /** By both spellings. */
  readonly byName: ReadonlyMap<string, FieldTable>
  /** The same as bytes, to be compared with a body without making strings of it. */
  readonly spellings: readonly Spelling[]
  /** A new message with all fields unset, equal to what protobuf's `create` makes. */
  create(): PlainMessage
}

/**
 * How bytes stand in JSON: as base64, which is etcd's form, or as text wherever they are UTF-8, the readable form
 * (docs/readable-form.md).
 */
export type BytesForm = 'base64' | 'utf8'

/** A message, its type aside: properties by local name. */
export type PlainMessage = Record<string, unknown>

/** A oneof of a message. */
export type PlainOneof = { case: string | undefined; value?: unknown }

/** Fields have one bit each in a 32-bit mask; etcd's largest message has 13. */
const FIELDS_MAX = 32

const EMPTY_BYTES = new Uint8Array(0)
const NO_NUMBERS: ReadonlyMap<string, number> = new Map()
const NO_NAMES: ReadonlyMap<number, string> = new Map()

const tables: Readonly<Record<BytesForm, WeakMap<DescMessage, MessageTable>>> = {
  base64: new WeakMap(),
  utf8: new WeakMap(),
}

/** Bytes that are no text, even where they happen to be valid UTF-8: the readable form has them in base64 only. */
const NEVER_TEXT = 'etcdserverpb.SnapshotResponse.blob'

/** The table of a message type, compiled at the first call. The forms differ in fields of bytes only. */
export function messageTable(schema: DescMessage, form: BytesForm = 'base64'): MessageTable {
  return tables[form].get(schema) ?? compile(schema, form)
}

function compile(schema: DescMessage, form: BytesForm): MessageTable {
  if (schema.fields.length > FIELDS_MAX) throw new Error(`${schema.typeName} has too many fields`)
  const fields: FieldTable[] = []
  const byName = new Map<string, FieldTable>()
  const spellings: Spelling[] = []
  const table = { fields, byName, spellings, create: compileCreate(schema) }
  // Known before its fields are compiled, for a transaction may hold transactions.
  tables[form].set(schema, table)
  for (const [index, desc] of schema.fields.entries()) {
    const field = compileField(desc, index, form)
    fields.push(field)
    for (const spelled of field.base64 === undefined ? [field] : [field, field.base64]) {
      byName.set(spelled.name, spelled)
      byName.set(spelled.jsonName, spelled)
    }
  }
  for (const [name, field] of byName) spellings.push({ bytes: Buffer.from(name), field })
  return table
}

function compileField(field: DescField, index: number, form: BytesForm): FieldTable {
  const members = field.enum?.values ?? []
  const compiled: FieldTable = {
    name: field.name,
    jsonName: field.jsonName,
    localName: field.localName,
    number: field.number,
    kind: kindOf(field),
    list: field.fieldKind === 'list',
    oneof: field.oneof && { localName: field.oneof.localName, fullName: fullNameOf(field) },
    bit: 1 << index,
    enumNumbers: members.length ? new Map(members.map((member) => [member.name, member.number])) : NO_NUMBERS,
    // Reversed, so that the first of several names for a number is the one that stays.
    enumNames: members.length
      ? new Map(members.toReversed().map((member) => [member.number, member.name]))
      : NO_NAMES,
    message: field.message && messageTable(field.message, form),
    base64: undefined,
  }
  if (form === 'base64' || compiled.kind !== FieldKind.Bytes) return compiled
  const base64 = { ...compiled, name: `${compiled.name}_base64`, jsonName: `${compiled.jsonName}Base64` }
  return `${field.parent.typeName}.${field.name}` === NEVER_TEXT ? base64 : { ...compiled, base64 }
}

function fullNameOf(field: DescField): string {
  return `${field.parent.typeName}.${field.oneof?.name}`
}

function kindOf(field: DescField): FieldKind {
  if (field.message !== undefined) return FieldKind.Message
  if (field.enum !== undefined) return FieldKind.Enum
  switch (field.scalar) {
    case ScalarType.BOOL:
      return FieldKind.Bool
    case ScalarType.UINT32:
      return FieldKind.Uint32
    case ScalarType.INT64:
      return FieldKind.Int64
    case ScalarType.UINT64:
      return FieldKind.Uint64
    case ScalarType.STRING:
      return FieldKind.String
    case ScalarType.BYTES:
      return FieldKind.Bytes
    default:
      throw new Error(`${field} is of a kind that etcd's interface does not have`)
  }
}

/** Copying one object literal is the fastest way to many objects of one shape. */
function compileCreate(schema: DescMessage): () => PlainMessage {
  const template: PlainMessage = { $typeName: schema.typeName }
  const lists: string[] = []
  const oneofs: string[] = []
  for (const member of schema.members) {
    // A message field that is not set is no property at all; lists and oneofs keep their place in the shape.
    if (member.kind === 'field' && member.fieldKind === 'message') continue
    const list = member.kind === 'field' && member.fieldKind === 'list'
    if (list) lists.push(member.localName)
    if (member.kind === 'oneof') oneofs.push(member.localName)
    template[member.localName] = list || member.kind === 'oneof' ? undefined : zeroOf(kindOf(member))
  }
  return () => {
    const message = { ...template }
    for (const name of lists) message[name] = []
    for (const name of oneofs) message[name] = { case: undefined }
    return message
  }
}

function zeroOf(kind: FieldKind): unknown {
  switch (kind) {
    case FieldKind.Bool:
      return false
    case FieldKind.Uint32:
    case FieldKind.Enum:
      return 0
    case FieldKind.Int64:
    case FieldKind.Uint64:
      return 0n
    case FieldKind.String:
      return ''
    case FieldKind.Bytes:
      return EMPTY_BYTES
    case FieldKind.Message:
      return undefined
    default:
      throw new Error(`kind ${kind satisfies never}`)
  }
}
