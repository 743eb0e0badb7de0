/**
 * Finds where a JSON value ends, and what is wrong with its syntax, a byte at a time and across chunks, as Go's
 * encoding/json does before anybody looks at what the value means. Its words for each error are Go's.
 */
import { Buffer } from 'node:buffer'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { Byte, isSpace, quoteByte } from './characters.ts'

/** What the scanner expects next. */
const State = {
  Value: 0,
  ValueOrClose: 1,
  Key: 2,
  KeyOrClose: 3,
  /** A value, or an object's key, is complete. */
  AfterValue: 4,
  InString: 5,
  Escape: 6,
  UnicodeEscape: 7,
  InLiteral: 8,
  Minus: 9,
  Zero: 10,
  Integer: 11,
  Point: 12,
  Fraction: 13,
  Exponent: 14,
  ExponentSign: 15,
  ExponentDigits: 16,
} as const
type State = (typeof State)[keyof typeof State]

/** The states in which nothing more need come. */
const COMPLETE: ReadonlySet<State> = new Set([
  State.AfterValue,
  State.Zero,
  State.Integer,
  State.Fraction,
  State.ExponentDigits,
])

/** Where within the containers around it the scanner stands. */
const Within = { ObjectKey: 0, ObjectValue: 1, Array: 2 } as const
type Within = (typeof Within)[keyof typeof Within]

/** The answer of a step that belongs to the value; the others say where the value ended. */
const Step = { Continue: 0, EndsHere: 1, EndedBefore: 2 } as const
type Step = (typeof Step)[keyof typeof Step]

/** Go's io.ErrUnexpectedEOF: the body ended within a value. */
function unexpectedEnd(): EtcdError {
  return new EtcdError(GrpcCode.InvalidArgument, 'unexpected EOF')
}

export class SyntaxScanner {
  #state: State = State.Value
  readonly #within: Within[] = []
  /** The literal that is being read, and how much of it was seen. */
  #literal = ''
  /** Characters seen of the literal, or hexadecimal digits of an escape. */
  #seen = 0
  #started = false

  /** Whether a byte of the value has been seen; space before it doesn't count. */
  get started(): boolean {
    return this.#started
  }

  /**
   * Reads on at `from`. Gives the index after the value's last byte, or -1 if the chunk doesn't hold its end (that
   * of a number is known only by what follows it). Throws an InvalidArgument with Go's words.
   */
  scan(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!
      // Most bytes are those of long strings.
      if (
        this.#state === State.InString &&
        byte !== Byte.Quote &&
        byte !== Byte.Backslash &&
        byte >= Byte.Space
      )
        continue
      const step = this.#step(byte)
      if (step === Step.EndsHere) return at + 1
      if (step === Step.EndedBefore) return at
    }
    return -1
  }

  /** The body has ended: whether that completes the value. Throws if it cuts the value off. */
  end(): boolean {
    if (!this.#started) return false
    if (this.#within.length === 0 && COMPLETE.has(this.#state)) return true
    throw unexpectedEnd()
  }

  #step(byte: number): Step {
    switch (this.#state) {
      case State.Value:
        return this.#value(byte)
      case State.ValueOrClose:
        return byte === Byte.CloseBracket ? this.#afterValue(byte) : this.#value(byte)
      case State.Key:
        return this.#key(byte)
      case State.KeyOrClose:
        return byte === Byte.CloseBrace ? this.#pop() : this.#key(byte)
      case State.AfterValue:
        return this.#afterValue(byte)
      case State.InString:
        return this.#inString(byte)
      case State.Escape:
        return this.#escape(byte)
      case State.UnicodeEscape:
        return this.#unicodeEscape(byte)
      case State.InLiteral:
        return this.#inLiteral(byte)
      default:
        return this.#number(byte)
    }
  }

  #value(byte: number): Step {
    if (isSpace(byte)) return Step.Continue
    this.#started = true
    switch (byte) {
      case Byte.OpenBrace:
        return this.#push(byte, Within.ObjectKey, State.KeyOrClose)
      case Byte.OpenBracket:
        return this.#push(byte, Within.Array, State.ValueOrClose)
      case Byte.Quote:
        return this.#to(State.InString)
      case Byte.Minus:
        return this.#to(State.Minus)
      case Byte.Zero:
        return this.#to(State.Zero)
      case Byte.LowerT:
        return this.#beginLiteral('true')
      case Byte.LowerF:
        return this.#beginLiteral('false')
      case Byte.LowerN:
        return this.#beginLiteral('null')
      default:
        return isDigit(byte) ? this.#to(State.Integer) : refuse(byte, 'looking for beginning of value')
    }
  }

  #key(byte: number): Step {
    if (isSpace(byte)) return Step.Continue
    return byte === Byte.Quote
      ? this.#to(State.InString)
      : refuse(byte, 'looking for beginning of object key string')
  }

  #afterValue(byte: number): Step {
    const within = this.#within.at(-1)
    if (within === undefined) return Step.EndedBefore
    this.#state = State.AfterValue
    if (isSpace(byte)) return Step.Continue
    switch (within) {
      case Within.ObjectKey:
        if (byte !== Byte.Colon) return refuse(byte, 'after object key')
        this.#within[this.#within.length - 1] = Within.ObjectValue
        return this.#to(State.Value)
      case Within.ObjectValue:
        if (byte === Byte.CloseBrace) return this.#pop()
        if (byte !== Byte.Comma) return refuse(byte, 'after object key:value pair')
        this.#within[this.#within.length - 1] = Within.ObjectKey
        return this.#to(State.Key)
      case Within.Array:
        if (byte === Byte.CloseBracket) return this.#pop()
        if (byte !== Byte.Comma) return refuse(byte, 'after array element')
        return this.#to(State.Value)
      default:
        throw new Error(`within ${within satisfies never}`)
    }
  }

  #inString(byte: number): Step {
    if (byte === Byte.Quote) return this.#to(State.AfterValue)
    if (byte === Byte.Backslash) return this.#to(State.Escape)
    return byte < Byte.Space ? refuse(byte, 'in string literal') : Step.Continue
  }

  #escape(byte: number): Step {
    this.#seen = 0
    if (byte === Byte.LowerU) return this.#to(State.UnicodeEscape)
    return ESCAPES.has(byte) ? this.#to(State.InString) : refuse(byte, 'in string escape code')
  }

  #unicodeEscape(byte: number): Step {
    if (!isHexDigit(byte)) return refuse(byte, 'in \\u hexadecimal character escape')
    return ++this.#seen === 4 ? this.#to(State.InString) : Step.Continue
  }

  #beginLiteral(literal: string): Step {
    this.#literal = literal
    this.#seen = 1
    return this.#to(State.InLiteral)
  }

  #inLiteral(byte: number): Step {
    if (byte !== this.#literal.charCodeAt(this.#seen)) {
      return refuse(byte, `in literal ${this.#literal} (expecting '${this.#literal[this.#seen]}')`)
    }
    return ++this.#seen === this.#literal.length ? this.#to(State.AfterValue) : Step.Continue
  }

  #number(byte: number): Step {
    const digit = isDigit(byte)
    switch (this.#state) {
      case State.Minus:
        if (!digit) return refuse(byte, 'in numeric literal')
        return this.#to(byte === Byte.Zero ? State.Zero : State.Integer)
      case State.Point:
        return digit ? this.#to(State.Fraction) : refuse(byte, 'after decimal point in numeric literal')
      case State.Exponent:
        if (byte === Byte.Plus || byte === Byte.Minus) return this.#to(State.ExponentSign)
        return digit ? this.#to(State.ExponentDigits) : refuse(byte, 'in exponent of numeric literal')
      case State.ExponentSign:
        return digit ? this.#to(State.ExponentDigits) : refuse(byte, 'in exponent of numeric literal')
      default:
        break
    }
    if (digit && this.#state !== State.Zero) return Step.Continue
    const integer = this.#state === State.Zero || this.#state === State.Integer
    if (byte === Byte.Dot && integer) return this.#to(State.Point)
    const exponent = byte === Byte.LowerE || byte === Byte.UpperE
    if (exponent && this.#state !== State.ExponentDigits) return this.#to(State.Exponent)
    return this.#afterValue(byte)
  }

  #to(state: State): Step {
    this.#state = state
    return Step.Continue
  }

  #push(byte: number, within: Within, state: State): Step {
    if (this.#within.push(within) > LIMITS.jsonDepthMax) return refuse(byte, 'exceeded max depth')
    return this.#to(state)
  }

  #pop(): Step {
    this.#within.pop()
    this.#state = State.AfterValue
    return this.#within.length === 0 ? Step.EndsHere : Step.Continue
  }
}

const ESCAPES = new Set(Buffer.from('"\\/bfnrt'))

function isDigit(byte: number): boolean {
  return byte >= Byte.Zero && byte <= Byte.Nine
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66)
}

function refuse(byte: number, context: string): never {
  throw new EtcdError(GrpcCode.InvalidArgument, `invalid character ${quoteByte(byte)} ${context}`)
}
