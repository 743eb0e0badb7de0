import { Buffer } from 'node:buffer'
import {
  create,
  type DescMessage,
  equals,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as rpc from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { file_v3electionpb_election } from '../../etcd/generated/v3electionpb/election_pb.ts'
import { file_v3lockpb_lock } from '../../etcd/generated/v3lockpb/lock_pb.ts'
import { FieldKind, messageTable } from '../../etcd/message-table.ts'
import { arbitraryBody } from './arbitrary-bodies.ts'
import { decodeExact } from './exact.ts'
import { decodeFast } from './fast.ts'
import { decodeJson, encodeJson } from './index.ts'

const { PutRequestSchema, RangeRequestSchema, LeaseTimeToLiveResponseSchema } = rpc
const messages = [rpc.file_etcdserverpb_rpc, file_v3lockpb_lock, file_v3electionpb_election].flatMap(
  (file) => file.messages,
)

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const BINARY = Uint8Array.of(0xff)

/** Written so in the readable form, and read from it again. */
function isWritten<M extends DescMessage>(schema: M, init: MessageInitShape<M>, json: string): void {
  expect(encodeJson(schema, init, 'utf8')).toBe(json)
  expect(decodeJson(schema, bytes(json), 'utf8')).toEqual(create(schema, init))
}

function reads<M extends DescMessage>(schema: M, body: string, init: MessageInitShape<M>): void {
  expect(decodeJson(schema, bytes(body), 'utf8'), body).toEqual(create(schema, init))
}

function refuses(schema: DescMessage, body: string | Uint8Array, words: string): void {
  const raw = typeof body === 'string' ? bytes(body) : body
  expect(() => decodeJson(schema, raw, 'utf8'), String(body)).toThrow(
    expect.objectContaining({ name: 'EtcdError', code: 3, message: words }),
  )
}

describe('bytes in the readable form', () => {
  it('are text under their own name when they are UTF-8, whatever the characters', () => {
    isWritten(PutRequestSchema, { key: bytes('foo'), value: bytes('é €😀') }, '{"key":"foo","value":"é €😀"}')
    isWritten(
      PutRequestSchema,
      { key: bytes('\0'), value: bytes('"\\\n\u007f\u2028\ufeff\uffff') },
      '{"key":"\\u0000","value":"\\"\\\\\\n\u007f\u2028\ufeff\uffff"}',
    )
  })

  it('are base64 under another name when they are not', () => {
    for (const hex of ['ff', 'c080', 'e282', 'eda080', 'f4908080', '61c3']) {
      const value = Buffer.from(hex, 'hex')
      const json = `{"key":"a","value_base64":"${value.toString('base64')}"}`
      isWritten(PutRequestSchema, { key: bytes('a'), value: new Uint8Array(value) }, json)
    }
  })

  it('are left out when they are empty, but for the member of a oneof', () => {
    isWritten(PutRequestSchema, { key: bytes('') }, '{}')
    isWritten(rpc.CompareSchema, { targetUnion: { case: 'value', value: bytes('') } }, '{"value":""}')
    isWritten(rpc.CompareSchema, { targetUnion: { case: 'value', value: BINARY } }, '{"value_base64":"/w=="}')
  })

  it('are a list of texts, or one of base64 when an element is no text', () => {
    isWritten(LeaseTimeToLiveResponseSchema, { keys: [bytes('a'), bytes('')] }, '{"keys":["a",""]}')
    isWritten(
      LeaseTimeToLiveResponseSchema,
      { keys: [bytes('a'), BINARY] },
      '{"keys_base64":["YQ==","/w=="]}',
    )
  })

  it('are never text in a snapshot', () => {
    isWritten(rpc.SnapshotResponseSchema, { blob: bytes('abc') }, '{"blob_base64":"YWJj"}')
  })
})

describe('requests in the readable form', () => {
  it('have either name, each in both spellings, and escapes', () => {
    const request = { key: bytes('a/b'), rangeEnd: bytes('\0') }
    for (const body of [
      '{"key":"a/b","range_end":"\\u0000"}',
      '{"key":"a\\/b","rangeEnd":"\\u0000"}',
      '{"key_base64":"YS9i","range_end_base64":"AA=="}',
      '{"key_base64":"YS9i","rangeEndBase64":"AA"}',
    ])
      reads(RangeRequestSchema, body, request)
    reads(RangeRequestSchema, '{"key":"\\ud83d\\ude00"}', { key: bytes('😀') })
    reads(RangeRequestSchema, '{"key":null,"range_end":""}', {})
  })

  it('have one of the two names only', () => {
    refuses(
      RangeRequestSchema,
      '{"key":"a","key_base64":"YQ=="}',
      'proto: (line 1:12): duplicate field "key_base64"',
    )
    refuses(RangeRequestSchema, '{"keyBase64":null,"key":"a"}', 'proto: (line 1:19): duplicate field "key"')
    refuses(
      rpc.CompareSchema,
      '{"value":"a","value_base64":"YQ=="}',
      'proto: (line 1:14): duplicate field "value_base64"',
    )
  })

  it('are refused where a text is no UTF-8, or a base64 wrong', () => {
    const invalid = 'proto: syntax error (line 1:8): invalid UTF-8 in string'
    refuses(RangeRequestSchema, Buffer.from('{"key":"\xff"}', 'latin1'), invalid)
    refuses(
      RangeRequestSchema,
      '{"key":"\\ud800 ......"}',
      'proto: syntax error (line 1:8): invalid escape code " ....." in string',
    )
    refuses(
      RangeRequestSchema,
      '{"key":"\\udc00 ......"}',
      'proto: syntax error (line 1:8): invalid escape code " ....." in string',
    )
    refuses(RangeRequestSchema, '{"key":1}', 'proto: (line 1:8): invalid value for bytes field key: 1')
    refuses(
      RangeRequestSchema,
      '{"key_base64":"a b"}',
      'proto: (line 1:15): invalid value for bytes field keyBase64: "a b"',
    )
  })

  it("etcd: in etcd's form have no field of that name, so it is skipped", () => {
    expect(decodeJson(RangeRequestSchema, bytes('{"key_base64":"YQ=="}'))).toEqual(create(RangeRequestSchema))
  })
})

it('changes nothing but bytes', () => {
  for (const schema of messages) {
    const { fields } = messageTable(schema, 'utf8')
    const names = ({ name, kind }: (typeof fields)[number]) => [kind, kind === FieldKind.Bytes ? '' : name]
    expect(fields.map(names), schema.typeName).toEqual(messageTable(schema).fields.map(names))
  }
})

describe.each(messages.map((schema) => [schema.typeName, schema] as const))('%s', (_, schema) => {
  it('is the same message once written and read', () => {
    fc.assert(
      fc.property(arbitraryBody(messageTable(schema, 'utf8')), (body) => {
        const message = read(schema, body)
        if (message === undefined) return
        const json = encodeJson(schema, message as MessageInitShape<typeof schema>, 'utf8')
        expect(equals(schema, decodeJson(schema, bytes(json), 'utf8'), message), json).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('is read alike by both readers', () => {
    fc.assert(
      fc.property(arbitraryBody(messageTable(schema, 'utf8')), (body) => {
        const fast = decodeFast(messageTable(schema, 'utf8'), body)
        if (fast !== undefined) expect(fast).toEqual(decodeExact(messageTable(schema, 'utf8'), body))
      }),
      { numRuns: 50 },
    )
  })
})

function read<M extends DescMessage>(schema: M, body: Uint8Array): MessageShape<M> | undefined {
  try {
    return decodeJson(schema, body, 'utf8')
  } catch {
    return undefined
  }
}
