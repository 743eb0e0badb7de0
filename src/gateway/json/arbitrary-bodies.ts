/** Bodies for property tests: mostly what a client could send for a message type, with all that can go wrong in it. */
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { FieldKind, type FieldTable, type MessageTable } from '../../etcd/message-table.ts'

/** Messages within messages that are generated. */
const DEPTH = 3

const space = fc.oneof(
  { weight: 12, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: fc.constantFrom(' ', '\n', '\t', '\r', '\n  ') },
)

/** Each near the border of some rule: exponents, ranges, JSON's grammar, the first token of a string. */
const number = fc.oneof(
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 65n }).map(String),
  fc.integer({ min: -5, max: 100 }).map(String),
  fc.constantFrom(
    ...['0', '-0', '2.0', '20e-1', '1e1', '1E+2', '-0.0e5', '0e99999999999', '92233720368547758.07e2', '2.5'],
    ...['0.05e2', '05', '1e', '1e+', '1.', '.5', '+2', '1e5x', '1e19', '1e20', '100e-2', '100e-3', '1.10e1'],
    ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
    ...[
      '18446744073709551615',
      '18446744073709551616',
      '2147483647',
      '2147483648',
      '4294967295',
      '4294967296',
    ],
    ...['1e2147483648', '1e-2147483649', '0x2', '1_000', 'NaN', 'Infinity', '-', '1,x', '1 2', '1e,', '1}'],
  ),
)

/** The insides of strings, as written. */
const written = fc.constantFrom(
  ...[
    '',
    'YQ==',
    'YQ',
    'YWI=',
    '+/+/',
    '-_-_',
    '+_',
    'YQ=',
    'YQ===',
    '====',
    'YR==',
    'Y',
    'food',
    'a b',
    'é',
    '😀',
  ],
  ...[
    'YW\\nJj',
    'YWJj\\n\\n\\n\\n',
    'YQ=\\n=',
    'YQ==YQ==',
    '\\u0059Q==',
    'ab\\/c',
    'a\\"b',
    '\\\\',
    '\\b\\f\\n\\r\\t',
  ],
  ...[
    '\\ud83d\\ude00',
    '\\ud800',
    '\\udc00\\ud800',
    '\\ud800abcdef',
    '\\ud800é€',
    '\\u00zz',
    '\\x',
    '\\',
    '\t',
    '\u007f',
  ],
  ...[
    '1\\u0000',
    '1\\u00a0',
    '1\\u0085',
    ' 1',
    'ASCEND',
    'descend',
    'NOPUT',
    'VERSION',
    'true',
    'null',
    '\u2028',
  ],
)
const string = fc.oneof(written, number).map((text) => `"${text}"`)

const anything: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(number, string, fc.constantFrom('true', 'false', 'null', 'tru', 'True', '')),
    fc.array(tie('value'), { maxLength: 3 }).map((elements) => `[${elements.join(',')}]`),
    fc
      .array(fc.tuple(string, tie('value')), { maxLength: 3 })
      .map((members) => braced(members.map(joinMember))),
  ),
})).value

const joinMember = ([name, value]: readonly [string, string]): string => `${name}:${value}`
const braced = (members: readonly string[]): string => `{${members.join(',')}}`

const bytes = fc
  .tuple(fc.uint8Array({ maxLength: 12 }), fc.constantFrom('base64', 'base64url'), fc.boolean())
  .map(([value, encoding, escaped]) => {
    const text = Buffer.from(value).toString(encoding as BufferEncoding)
    return `"${escaped ? text.replaceAll('/', '\\/') : text}"`
  })

const text = fc.oneof(
  fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
  string,
)

function scalar(field: FieldTable): fc.Arbitrary<string> {
  switch (field.kind) {
    case FieldKind.Bool:
      return fc.constantFrom('true', 'false')
    case FieldKind.Bytes:
      return field.base64 === undefined ? bytes : text
    case FieldKind.String:
      return text
    case FieldKind.Enum:
      return fc.oneof(
        fc.constantFrom(...field.enumNumbers.keys()).map((name) => `"${name}"`),
        number,
      )
    default:
      return fc.oneof(
        number,
        number.map((text) => `"${text}"`),
      )
  }
}

function member(table: MessageTable, depth: number): fc.Arbitrary<string> {
  const unknown = fc.tuple(string, space, anything).map(([name, gap, value]) => `${name}${gap}:${value}`)
  if (table.fields.length === 0) return unknown
  const fields = table.fields.flatMap((field) => (field.base64 === undefined ? field : [field, field.base64]))
  const known = fields.map((field) => {
    const usual = field.message && depth > 0 ? messageText(field.message, depth - 1) : scalar(field)
    const value = fc.oneof({ weight: 15, arbitrary: usual }, { weight: 1, arbitrary: anything })
    const list = fc
      .tuple(fc.array(value, { maxLength: 3 }), space)
      .map(([all, gap]) => `[${gap}${all.join(`${gap},`)}]`)
    const text = field.list
      ? fc.oneof({ weight: 15, arbitrary: list }, { weight: 1, arbitrary: value })
      : value
    const name = fc.constantFrom(field.name, field.jsonName)
    return fc
      .tuple(name, space, text)
      .map(([spelling, gap, written]) => `"${spelling}"${gap}:${gap}${written}`)
  })
  return fc.oneof({ weight: 1, arbitrary: unknown }, ...known.map((arbitrary) => ({ weight: 2, arbitrary })))
}

function messageText(table: MessageTable, depth: number): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(member(table, depth), { maxLength: 4 }), space)
    .map(([members, gap]) => `{${gap}${members.join(`${gap},`)}${gap}}`)
}

/** One byte put in, changed or cut out, or the rest cut off. */
const damage = fc.record({
  at: fc.nat(),
  byte: fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(...Buffer.from('",:{}[]\\ue1.-+ \n\'')),
    fc.constantFrom(0xff, 0xc0, 0xe2, 0xed, 0xa0, 0x80, 0xf4, 0x90),
  ),
  kind: fc.constantFrom('insert', 'replace', 'remove', 'cut'),
})

function damaged(
  body: Buffer,
  damages: readonly (typeof damage extends fc.Arbitrary<infer D> ? D : never)[],
): Buffer {
  let result = body
  for (const { at, byte, kind } of damages) {
    const position = at % (result.length + 1)
    const after = kind === 'cut' ? result.length : position + (kind === 'insert' ? 0 : 1)
    const middle = kind === 'insert' || kind === 'replace' ? [byte] : []
    result = Buffer.concat([result.subarray(0, position), Buffer.from(middle), result.subarray(after)])
  }
  return result
}

/** Bodies for a message type; about half of them are requests that etcd accepts. */
export function arbitraryBody(table: MessageTable): fc.Arbitrary<Uint8Array> {
  const text = fc.oneof(
    { weight: 20, arbitrary: messageText(table, DEPTH) },
    { weight: 1, arbitrary: anything },
  )
  const rest = fc.oneof(
    { weight: 8, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom('xyz', '}', '{}', ' ') },
  )
  const damages = fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(damage, { maxLength: 3 }) },
  )
  return fc
    .tuple(space, text, rest, damages)
    .map(([gap, value, after, harm]) => damaged(Buffer.from(gap + value + after), harm))
}
