/**
 * The reader that does, step by step, what etcd's gateway does with a body: Go's encoding/json finds the first value
 * in it, then protojson reads that value, unknown fields and unknown enum names ignored. It finds the error that Go
 * finds first, and it never recurses, so that a body may nest as deeply as Go allows.
 */
import {
  FIELD_KIND_NAMES,
  FieldKind,
  type FieldTable,
  type MessageTable,
  type PlainMessage,
} from '../../etcd/message-table.ts'
import { decodeBase64 } from './base64.ts'
import { Byte, encodeUtf8, isSpace } from './characters.ts'
import { checkMessages } from './messages.ts'
import {
  INT32,
  INT64,
  type IntegerRange,
  integerOfNumber,
  integerOfString,
  UINT32,
  UINT64,
} from './numbers.ts'
import { SyntaxScanner } from './syntax.ts'
import { protoError, type Token, TokenKind, TokenReader } from './tokens.ts'

/** Reads a message from a body. Throws an InvalidArgument with the words that etcd answers. */
export function decodeExact(table: MessageTable, body: Uint8Array): PlainMessage {
  const value = firstValue(body)
  return value === undefined ? table.create() : new ExactDecoder(value).decode(table)
}

/** The bytes of the first value, without the space around it; undefined if there is nothing but space. */
function firstValue(body: Uint8Array): Uint8Array | undefined {
  const scanner = new SyntaxScanner()
  let end = scanner.scan(body, 0)
  if (end === -1) {
    if (!scanner.end()) return undefined
    end = body.length
  }
  let start = 0
  while (isSpace(body[start])) start++
  return body.subarray(start, end)
}

/** A message whose members are being read. */
interface OpenMessage {
  readonly table: MessageTable
  readonly message: PlainMessage
  /** Bits of the fields, and names of the oneofs, that were there before. */
  seen: number
  readonly seenOneofs: Set<string>
  /** While the elements of a list of messages are read: the list, and what it is of. */
  list: { readonly elements: unknown[]; readonly of: MessageTable } | undefined
}

/** What a scalar says: nothing, when it is the unknown name of an enum's member. */
type Scalar = { readonly value: unknown } | 'unknown'

class ExactDecoder {
  readonly #tokens: TokenReader
  readonly #open: OpenMessage[] = []
  #messages = 0

  constructor(value: Uint8Array) {
    this.#tokens = new TokenReader(value)
  }

  decode(table: MessageTable): PlainMessage {
    const message = this.#openMessage(table)
    for (let open = this.#open.at(-1); open !== undefined; open = this.#open.at(-1)) {
      if (open.list !== undefined) this.#element(open, open.list)
      else this.#member(open)
    }
    return message
  }

  #openMessage(table: MessageTable): PlainMessage {
    const token = this.#tokens.read()
    if (token.kind !== TokenKind.OpenObject) throw this.#tokens.unexpected(token)
    checkMessages(++this.#messages)
    const message = table.create()
    this.#open.push({ table, message, seen: 0, seenOneofs: new Set(), list: undefined })
    return message
  }

  #element(open: OpenMessage, list: NonNullable<OpenMessage['list']>): void {
    if (this.#tokens.peek() === Byte.CloseBracket) {
      this.#tokens.read()
      open.list = undefined
    } else {
      list.elements.push(this.#openMessage(list.of))
    }
  }

  #member(open: OpenMessage): void {
    const name = this.#tokens.read()
    if (name.kind === TokenKind.CloseObject) {
      this.#open.pop()
      return
    }
    const field = open.table.byName.get(name.text)
    if (field === undefined) {
      this.#skipValue()
      return
    }
    if (open.seen & field.bit) throw this.#error(name, `duplicate field ${this.#tokens.raw(name)}`)
    open.seen |= field.bit
    if (this.#tokens.peek() === Byte.LowerN) this.#tokens.read()
    else if (field.list) this.#list(open, field)
    else this.#singular(open, field, name)
  }

  #skipValue(): void {
    let depth = 0
    do {
      const { kind } = this.#tokens.read()
      if (kind === TokenKind.OpenObject || kind === TokenKind.OpenList) depth++
      else if (kind === TokenKind.CloseObject || kind === TokenKind.CloseList) depth--
    } while (depth > 0)
  }

  #list(open: OpenMessage, field: FieldTable): void {
    const token = this.#tokens.read()
    if (token.kind !== TokenKind.OpenList) throw this.#tokens.unexpected(token)
    const elements: unknown[] = []
    open.message[field.localName] = elements
    if (field.message !== undefined) {
      open.list = { elements, of: field.message }
      return
    }
    while (this.#tokens.peek() !== Byte.CloseBracket) {
      const scalar = this.#scalar(field)
      if (scalar !== 'unknown') elements.push(scalar.value)
    }
    this.#tokens.read()
  }

  #singular(open: OpenMessage, field: FieldTable, name: Token): void {
    const { oneof } = field
    if (oneof !== undefined) {
      if (open.seenOneofs.has(oneof.localName)) {
        const words = `error parsing ${this.#tokens.raw(name)}, oneof ${oneof.fullName} is already set`
        throw this.#error(name, words)
      }
      open.seenOneofs.add(oneof.localName)
    }
    const read =
      field.message === undefined ? this.#scalar(field) : { value: this.#openMessage(field.message) }
    if (read === 'unknown') return
    if (oneof === undefined) open.message[field.localName] = read.value
    else open.message[oneof.localName] = { case: field.localName, value: read.value }
  }

  #scalar(field: FieldTable): Scalar {
    const token = this.#tokens.read()
    const scalar = this.#scalarOf(field, token)
    if (scalar !== undefined) return scalar
    const kind = FIELD_KIND_NAMES[field.kind]
    throw this.#error(token, `invalid value for ${kind} field ${field.jsonName}: ${this.#tokens.raw(token)}`)
  }

  #scalarOf(field: FieldTable, token: Token): Scalar | undefined {
    switch (field.kind) {
      case FieldKind.Bool:
        return token.kind === TokenKind.Bool ? { value: this.#tokens.raw(token) === 'true' } : undefined
      case FieldKind.Uint32: {
        const value = this.#integer(token, UINT32)
        return value === undefined ? undefined : { value: Number(value) }
      }
      case FieldKind.Int64:
        return scalar(this.#integer(token, INT64))
      case FieldKind.Uint64:
        return scalar(this.#integer(token, UINT64))
      case FieldKind.String:
        return token.kind === TokenKind.String ? { value: token.text } : undefined
      case FieldKind.Bytes:
        if (token.kind !== TokenKind.String) return undefined
        return scalar(field.base64 === undefined ? decodeBase64(token.text) : encodeUtf8(token.text))
      case FieldKind.Enum: {
        if (token.kind === TokenKind.String) return scalar(field.enumNumbers.get(token.text)) ?? 'unknown'
        if (token.kind !== TokenKind.Number) return undefined
        const value = integerOfNumber(this.#tokens.raw(token), INT32)
        return value === undefined ? undefined : { value: Number(value) }
      }
      case FieldKind.Message:
        throw new Error(`${field.name} is not a scalar`)
      default:
        throw new Error(`kind ${field.kind satisfies never}`)
    }
  }

  #integer(token: Token, range: IntegerRange): bigint | undefined {
    if (token.kind === TokenKind.Number) return integerOfNumber(this.#tokens.raw(token), range)
    return token.kind === TokenKind.String ? integerOfString(token.text, range) : undefined
  }

  #error(at: Token, words: string): Error {
    return protoError(`(line ${this.#tokens.position(at.start)}): ${words}`)
  }
}

function scalar(value: bigint | number | Uint8Array | undefined): { readonly value: unknown } | undefined {
  return value === undefined ? undefined : { value }
}
