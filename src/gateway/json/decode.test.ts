import { create, type DescMessage, equals, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PermissionSchema } from '../../etcd/generated/authpb/auth_pb.ts'
import * as rpc from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { file_v3electionpb_election } from '../../etcd/generated/v3electionpb/election_pb.ts'
import { file_v3lockpb_lock } from '../../etcd/generated/v3lockpb/lock_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { messageTable } from '../../etcd/message-table.ts'
import { arbitraryBody } from './arbitrary-bodies.ts'
import { decodeExact } from './exact.ts'
import { decodeFast } from './fast.ts'
import { decodeJson } from './index.ts'
import { RECORDED_ERRORS } from './recorded-errors.ts'

const { RangeRequestSchema, PutRequestSchema, TxnRequestSchema, WatchRequestSchema } = rpc
const messages = [rpc.file_etcdserverpb_rpc, file_v3lockpb_lock, file_v3electionpb_election].flatMap(
  (f) => f.messages,
)

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
/** The number of a member that the enum doesn't have. */
const unknownMember = (number: number): number => number

/** What both readers make of a body, after checking that the fast one is right if it reads it at all. */
function decode<I extends DescMessage>(schema: I, body: string | Uint8Array): MessageInitShape<I> | string {
  const raw = typeof body === 'string' ? bytes(body) : body
  const exact = outcome(() => decodeExact(messageTable(schema), raw))
  const fast = decodeFast(messageTable(schema), raw)
  if (fast !== undefined) expect(fast).toEqual(exact)
  expect(outcome(() => decodeJson(schema, raw))).toEqual(exact)
  return exact as MessageInitShape<I> | string
}

function outcome(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    expect(error).toMatchObject({ name: 'EtcdError', code: 3 })
    return (error as Error).message
  }
}

/** The message that etcd reads from the body. */
function reads<I extends DescMessage>(schema: I, body: string, init: MessageInitShape<I>): void {
  expect(decode(schema, body), body).toEqual(create(schema, init))
}

describe('etcd: the body', () => {
  it('is its first value; what follows is not looked at', () => {
    const a = { key: bytes('a') }
    for (const after of ['', 'xyz', '}', '{"key":""}', '\n{"key":5}', ' \n\t ', ',', '\0']) {
      reads(RangeRequestSchema, `{"key":"YQ=="}${after}`, a)
    }
    reads(RangeRequestSchema, ' \n\t\r{ "key" :\n"YQ==" } ', a)
  })

  it('may be empty', () => {
    for (const body of ['', ' ', '\n', '{}', ' {}']) reads(TxnRequestSchema, body, {})
  })

  it('may name fields in either spelling, and hold unknown ones at every level', () => {
    reads(RangeRequestSchema, '{"range_end":"Yg==","rangeEnd2":1}', { rangeEnd: bytes('b') })
    reads(RangeRequestSchema, '{"rangeEnd":"Yg=="}', { rangeEnd: bytes('b') })
    reads(RangeRequestSchema, '{"\\u006bey":"YQ=="}', { key: bytes('a') })
    reads(RangeRequestSchema, '{"Key":1,"KEY":[],"range-end":{},"RangeEnd":"x","[key]":0}', {})
    reads(RangeRequestSchema, '{"x":{"y":[1,{"z":null}]},"key":"YQ=="}', { key: bytes('a') })
    reads(TxnRequestSchema, '{"success":[{"request_stream":{}}]}', { success: [{}] })
    reads(rpc.LeaseGrantRequestSchema, '{"ID":"5","TTL":7,"id":1,"ttl":2}', { ID: 5n, TTL: 7n })
  })

  it('is refused when a field comes twice, in whatever spelling, even if one is null', () => {
    const twice = 'proto: (line 1:13): duplicate field "rangeEnd"'
    expect(decode(RangeRequestSchema, '{"key":null,"key":"YQ=="}')).toBe(
      'proto: (line 1:13): duplicate field "key"',
    )
    expect(decode(RangeRequestSchema, '{"range_end":"","rangeEnd":""}')).toBe(twice.replace('13', '17'))
  })

  it('may nest 10000 levels, not one more', () => {
    const lists = (depth: number) => `{"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
    reads(RangeRequestSchema, lists(10_000), {})
    expect(decode(RangeRequestSchema, lists(10_001))).toBe("invalid character '[' exceeded max depth")
    const nested = (depth: number) => `${'{"success":[{"request_txn":'.repeat(depth)}{}${'}]}'.repeat(depth)}`
    expect(typeof decodeJson(TxnRequestSchema, bytes(nested(3_333)))).toBe('object')
    expect(decode(TxnRequestSchema, nested(3_334))).toBe("invalid character '[' exceeded max depth")
  })
})

describe('etcd: a value that is', () => {
  it('null is not set, in a list refused', () => {
    reads(PutRequestSchema, '{"key":null,"lease":null,"prev_kv":null}', {})
    reads(TxnRequestSchema, '{"compare":null,"success":[]}', {})
    expect(decode(TxnRequestSchema, '{"success":[null]}')).toBe(
      'proto: syntax error (line 1:13): unexpected token null',
    )
    expect(decode(WatchRequestSchema, '{"create_request":{"filters":[null]}}')).toBe(
      'proto: (line 1:31): invalid value for enum field filters: null',
    )
  })

  it.each([
    ['2', 2n],
    ['"2"', 2n],
    ['2.0', 2n],
    ['"2.0"', 2n],
    ['2e0', 2n],
    ['"1e1"', 10n],
    ['20e-1', 2n],
    ['0.2e1', 2n],
    ['-0', 0n],
    ['-0.0e5', 0n],
    ['0e99999999999', 0n],
    ['100000000000000000000e-2', 1_000_000_000_000_000_000n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['"9223372036854775807"', 2n ** 63n - 1n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['9223372036854775.807e3', 2n ** 63n - 1n],
    ['1000000000000000', 10n ** 15n],
    ['999999999999999', 10n ** 15n - 1n],
    // Go reads the first token of the string only.
    ['"1,x"', 1n],
    ['"1 2"', 1n],
    ['"1e,"', 1n],
    ['"1\\u0000"', 1n],
  ])('the number %s is read exactly', (number, limit) => {
    reads(RangeRequestSchema, `{"limit":${number}}`, { limit })
  })

  it.each([
    ...[
      '"+2"',
      '" 2 "',
      '"2 "',
      '"\\u00a02"',
      '"2\\u0085"',
      '"02"',
      '""',
      '2.5',
      'true',
      '"0x2"',
      '[',
      '{',
      '"1e"',
      '"1."',
    ],
    ...[
      '9223372036854775808',
      '-9223372036854775809',
      '"9223372036854775808"',
      '1e19',
      '1e20',
      '1e-1',
      '1e2147483648',
    ],
    ...['"1e+,"', '"1.,"', '"1e5x"', '"1_000"', '"null"', '5e-2147483649', '"NaN"'],
  ])('%s is not an int64', (value) => {
    const close: Record<string, string> = { '[': ']', '{': '}' }
    const body = `{"limit":${value}${close[value] ?? ''}}`
    expect(decode(RangeRequestSchema, body)).toBe(
      `proto: (line 1:10): invalid value for int64 field limit: ${value}`,
    )
  })

  it('a uint64 has its own range, and an enum that of int32', () => {
    reads(rpc.MemberRemoveRequestSchema, '{"ID":18446744073709551615}', { ID: 2n ** 64n - 1n })
    for (const id of ['18446744073709551616', '-1']) {
      expect(decode(rpc.MemberRemoveRequestSchema, `{"ID":${id}}`)).toBe(
        `proto: (line 1:7): invalid value for uint64 field ID: ${id}`,
      )
    }
    expect(decode(RangeRequestSchema, '{"sort_order":2147483648}')).toBe(
      'proto: (line 1:15): invalid value for enum field sortOrder: 2147483648',
    )
  })

  it('an enum goes by exact name or number; an unknown name is not set, an unknown number kept', () => {
    const DESCEND = rpc.RangeRequest_SortOrder.DESCEND
    for (const value of ['"DESCEND"', '2', '2.0', '20e-1']) {
      reads(RangeRequestSchema, `{"sort_order":${value}}`, { sortOrder: DESCEND })
    }
    for (const value of ['"descend"', '"2"', '""', 'null', '"\\ud83d\\ude00"']) {
      reads(RangeRequestSchema, `{"sort_order":${value}}`, {})
    }
    reads(RangeRequestSchema, '{"sort_order":9,"sort_target":-1}', {
      sortOrder: unknownMember(9),
      sortTarget: unknownMember(-1),
    })
    reads(WatchRequestSchema, '{"create_request":{"filters":["NODELETE","WHAT","NOPUT",7]}}', {
      requestUnion: { case: 'createRequest', value: { filters: [1, 0, unknownMember(7)] } },
    })
    reads(PermissionSchema, '{"permType":"RW","key":"YQ=="}', { permType: 0, key: bytes('a') })
  })

  it('a bool is true or false only', () => {
    reads(RangeRequestSchema, '{"keys_only":true,"countOnly":false}', { keysOnly: true })
    for (const value of ['"true"', '1', '0']) {
      expect(decode(RangeRequestSchema, `{"keys_only":${value}}`)).toBe(
        `proto: (line 1:14): invalid value for bool field keysOnly: ${value}`,
      )
    }
  })

  it('a oneof has one member; a null one does not count', () => {
    reads(TxnRequestSchema, '{"success":[{"request_put":null,"request_range":{"key":"YQ=="}}]}', {
      success: [{ request: { case: 'requestRange', value: { key: bytes('a') } } }],
    })
    reads(TxnRequestSchema, '{"compare":[{"version":0,"value":null}]}', {
      compare: [{ targetUnion: { case: 'version', value: 0n } }],
    })
    // Found before what is wrong with the second member's value.
    expect(decode(TxnRequestSchema, '{"success":[{"requestPut":{},"request_range":"\\ud800"}]}')).toBe(
      'proto: (line 1:30): error parsing "request_range", oneof etcdserverpb.RequestOp.request is already set',
    )
  })
})

describe('etcd: bytes', () => {
  it.each([
    ['+/8=', [0xfb, 0xff]],
    ['+/8', [0xfb, 0xff]],
    ['-_8=', [0xfb, 0xff]],
    ['-_8', [0xfb, 0xff]],
    ['', []],
    ['YR==', [0x61]],
    ['YR', [0x61]],
    ['food', [0x7e, 0x8a, 0x1d]],
    ['YS9i\\/8A', [0x61, 0x2f, 0x62, 0xff, 0xc0]],
    ['\\u0059WE=', [0x61, 0x61]],
    // The length with the line ends decides whether padding is wanted.
    ['YWJj\\n\\n\\n\\n', [0x61, 0x62, 0x63]],
    ['Y\\nW\\rJj', [0x61, 0x62, 0x63]],
    ['YQ=\\n=\\r\\n\\n', [0x61]],
  ])('%j is base64', (text, value) => {
    reads(PutRequestSchema, `{"value":"${text}"}`, { value: Uint8Array.from(value) })
  })

  it.each([
    ...[
      '+_8=',
      'YQ=',
      'YQ===',
      'Y',
      '=',
      '====',
      'YW\\nE=',
      'YW E=',
      ' YWE=',
      'YWE=\\n',
      '!!!!',
      'ÿÿ',
      'YQ==YQ==',
    ],
    ...['YWFhY', '\\u0000', 'YQ\\\\=', 'YQ==\\\\/', 'YQ\\"='],
  ])('%j is not', (text) => {
    const error = `proto: (line 1:10): invalid value for bytes field value: "${text}"`
    expect(decode(PutRequestSchema, `{"value":"${text}"}`)).toBe(error)
  })
})

describe('etcd: errors', () => {
  it.each(RECORDED_ERRORS)('%s %s: %s', (name, body, error) => {
    const schema = messages.find((message) => message.name === name)
    if (schema === undefined) throw new Error(`no message ${name}`)
    expect(decode(schema, body)).toBe(error)
  })

  it.each([
    ['{"key":"YQ==","limit":"ä","revision":x}', "invalid character 'x' looking for beginning of value"],
    ['{"ä":"ä","limit":true}', 'proto: (line 1:18): invalid value for int64 field limit: true'],
    ['{\r\n\n  "limit":\ttrue}', 'proto: (line 3:12): invalid value for int64 field limit: true'],
    ['{"x":"\\ud800"}', 'proto: unexpected EOF'],
    ['{"x":"\\ud800"       }', 'proto: syntax error (line 1:6): invalid escape code "\\"     " in string'],
    ['{"x":"\\ud800aé€x"}', 'proto: syntax error (line 1:6): invalid escape code "aé€" in string'],
    ['{"x":"\\ud800abé€x"}', 'proto: syntax error (line 1:6): invalid escape code "abé\\xe2\\x82" in string'],
    ['{"x":"\\udc00\\ud800"}', 'proto: syntax error (line 1:6): invalid escape code "\\\\ud800" in string'],
    [
      '{"x":"\\ud800\u007f\u0085\u00ad00"}',
      'proto: syntax error (line 1:6): invalid escape code "\\x7f\\u0085\\u00ad0" in string',
    ],
    ['{"x":"\\ud800\\', 'unexpected EOF'],
    ['{"x":"\u007f\u0080"', 'unexpected EOF'],
    ['\u00a0{}', "invalid character 'Â' looking for beginning of value"],
    ['-', 'unexpected EOF'],
    ['-x', "invalid character 'x' in numeric literal"],
    ['{"x":1.}', "invalid character '}' after decimal point in numeric literal"],
    ['{"x":1e}', "invalid character '}' in exponent of numeric literal"],
    ['{"x":1e+}', "invalid character '}' in exponent of numeric literal"],
    ['{"x":01}', "invalid character '1' after object key:value pair"],
    ['{"x":[1 2]}', "invalid character '2' after array element"],
    ['{"x":nulL}', "invalid character 'L' in literal null (expecting 'l')"],
    ['{"x":falsy}', "invalid character 'y' in literal false (expecting 'e')"],
    ['{"x":"\\u00g0"}', "invalid character 'g' in \\u hexadecimal character escape"],
    ['{"x":\u0085}', "invalid character 'Â' looking for beginning of value"],
    ['\x07', "invalid character '\\a' looking for beginning of value"],
    ['\\', "invalid character '\\\\' looking for beginning of value"],
  ])('%j: %s', (body, error) => {
    expect(decode(RangeRequestSchema, body)).toBe(error)
  })

  it('a byte that is no character of ASCII is shown as Latin 1', () => {
    expect(decode(RangeRequestSchema, Uint8Array.of(0x80))).toBe(
      "invalid character '\\u0080' looking for beginning of value",
    )
    expect(decode(RangeRequestSchema, Uint8Array.of(0xad))).toBe(
      "invalid character '\\u00ad' looking for beginning of value",
    )
  })
})

describe.each([
  ['fast', decodeFast],
  ['exact', decodeExact],
])('the %s reader', (_, read) => {
  const empty = (count: number) => `{"compare":[${Array(count).fill('{}')}],"success":[{"request_put":{}}]`

  it('gives up at a message too many, whatever follows', () => {
    // The transaction, its operation and the put in that are messages too.
    const table = messageTable(TxnRequestSchema)
    const most = LIMITS.requestMessagesMax - 3
    expect(read(table, bytes(`${empty(most)}}`))?.compare).toHaveLength(most)
    expect(outcome(() => read(table, bytes(`${empty(most + 1)}}`)))).toBe(
      'etcdserver: too many operations in txn request',
    )
  })
})

it.each(
  messages.filter((message) => message.name.endsWith('Request')).map((message) => [message.name, message]),
)('the fast reader of %s agrees with the exact one, or leaves it to it', (_, schema) => {
  const table = messageTable(schema)
  fc.assert(
    fc.property(arbitraryBody(table), (body) => {
      const fast = decodeFast(table, body)
      if (fast === undefined) return
      const exact = decodeExact(table, body)
      expect(fast).toEqual(exact)
      // What is read is a message of protobuf's: creating it anew changes nothing.
      const init = exact as MessageInitShape<typeof schema>
      expect(equals(schema, create(schema, { ...init, $typeName: undefined } as never), exact as never)).toBe(
        true,
      )
    }),
  )
})
