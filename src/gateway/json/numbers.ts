/** JSON numbers as protobuf integers, digit by digit: a double would lose some. */

/** A number as JSON's grammar has it, in its parts, at the beginning of a text. */
const NUMBER = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?/

/**
 * The number at the beginning of a string. Go reads only the first token of the string, so `"1,x"` is 1, as long as
 * no more of a word follows; and it passes over an `e` without digits unless that is the last character: `"1e,"`.
 */
const NUMBER_IN_STRING =
  /^(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?:$|(?:[eE](?!$))?(?![-+._a-zA-Z0-9]))/

/** Go's unicode.IsSpace. */
const SPACE = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

/** The digits that an unsigned 64-bit integer has at most: Go refuses to expand an exponent beyond. */
const DIGITS_MAX = 20
const EXPONENT_MAX = 2 ** 31

export interface IntegerRange {
  readonly min: bigint
  readonly max: bigint
}
export const INT32: IntegerRange = { min: -(2n ** 31n), max: 2n ** 31n - 1n }
export const UINT32: IntegerRange = { min: 0n, max: 2n ** 32n - 1n }
export const INT64: IntegerRange = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
export const UINT64: IntegerRange = { min: 0n, max: 2n ** 64n - 1n }

/**
 * The integer that a JSON number token says: `20e-1` is 2, `2.5` none. Gives undefined for what is no integer or
 * out of range.
 */
export function integerOfNumber(raw: string, range: IntegerRange): bigint | undefined {
  const digits = integerDigits(raw)
  if (digits === undefined) return undefined
  const value = BigInt(digits)
  return value >= range.min && value <= range.max ? value : undefined
}

/** The integer that a JSON string says, the string's escapes being resolved. */
export function integerOfString(text: string, range: IntegerRange): bigint | undefined {
  if (SPACE.test(text.at(-1) ?? '')) return undefined
  const number = NUMBER_IN_STRING.exec(text)?.[1]
  return number === undefined ? undefined : integerOfNumber(number, range)
}

/** The number without point and exponent; undefined if it isn't an integer or far too long to be one of ours. */
function integerDigits(raw: string): string | undefined {
  const parts = NUMBER.exec(raw)
  if (parts === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = parts
  const integer = whole === '0' ? '' : whole
  const decimals = withoutTrailingZeros(fraction)
  if (integer === '' && decimals === '') return '0'
  const exponent = Number(exponentText)
  if (exponent < -EXPONENT_MAX || exponent >= EXPONENT_MAX) return undefined
  if (exponent < 0) {
    const point = integer.length + exponent
    if (decimals !== '' || point < 0 || /[1-9]/.test(integer.slice(point))) return undefined
    return sign + integer.slice(0, point)
  }
  if (decimals.length > exponent || integer.length + exponent > DIGITS_MAX) return undefined
  return sign + integer + decimals.padEnd(exponent, '0')
}

/** By hand: a regular expression that is anchored at the end takes quadratic time on a long run of zeros. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (end > 0 && digits[end - 1] === '0') end--
  return digits.slice(0, end)
}
