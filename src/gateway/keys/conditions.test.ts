import { create } from '@bufbuild/protobuf'
import { assert, bigInt, constant, oneof, option, property, set } from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Compare,
  Compare_CompareResult as Result,
  type TxnRequest,
  TxnRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { judgeRead, readConditions, type Tags } from './conditions.ts'
import { guardedTxn } from './guarded-write.ts'

const read = (name: string, value: string) =>
  readConditions((asked) => (asked === name.toLowerCase() ? value : undefined))

describe('a list of entity tags', () => {
  it.each<[string, Tags, Tags]>([
    ['*', '*', '*'],
    [' * ', '*', '*'],
    ['"2"', new Set([2n]), new Set([2n])],
    ['"2", "3","4"', new Set([2n, 3n, 4n]), new Set([2n, 3n, 4n])],
    ['W/"2"', new Set(), new Set([2n])],
    ['"2", W/"3"', new Set([2n]), new Set([2n, 3n])],
    [', "2" ,, ', new Set([2n]), new Set([2n])],
    ['"a,b", "2"', new Set([2n]), new Set([2n])],
    ['"02", "0", "-2", "", " 2", "2.0"', new Set(), new Set()],
    ['"9223372036854775807", "9223372036854775808"', new Set([2n ** 63n - 1n]), new Set([2n ** 63n - 1n])],
    ['', new Set(), new Set()],
  ])('%s is read, for If-Match and for If-None-Match', (value, ifMatch, ifNoneMatch) => {
    expect(read('If-Match', value)).toEqual({ ifMatch, ifNoneMatch: undefined })
    expect(read('If-None-Match', value)).toEqual({ ifMatch: undefined, ifNoneMatch })
  })

  it.each(['2', '"2', '2"', '"2" "3"', 'w/"2"', 'W/ "2"', '*, "2"', '"2", *', "'2'", '"2";'])(
    '%s is refused',
    (value) => {
      const message = `invalid If-Match header: ${JSON.stringify(value)} (a tag is written in double quotes)`
      expect(() => read('If-Match', value)).toThrow(expect.objectContaining({ code: 3, message }))
    },
  )

  it('is read in no time, whatever it is', () => {
    for (const piece of [' ', ',', '"', '" ', '"" ', '"",', '"2" , ']) {
      const started = performance.now()
      expect(() => read('If-Match', `${piece.repeat(100_000 / piece.length)}x`)).toThrow()
      expect(performance.now() - started).toBeLessThan(500)
    }
  })
})

const HOLDS: Readonly<Record<Result, (actual: bigint, operand: bigint) => boolean>> = {
  [Result.EQUAL]: (actual, operand) => actual === operand,
  [Result.NOT_EQUAL]: (actual, operand) => actual !== operand,
  [Result.GREATER]: (actual, operand) => actual > operand,
  [Result.LESS]: (actual, operand) => actual < operand,
}

/** Whether the transaction writes when the key is at this mod_revision, 0n if there is none; and that it writes once. */
function writes(txn: TxnRequest, modRevision: bigint): boolean {
  const holds = ({ result, targetUnion: { value } }: Compare) =>
    typeof value === 'bigint' && HOLDS[result](modRevision, value)
  const branch = txn.compare.every(holds) ? txn.success : txn.failure
  const [first] = branch
  if (first?.request.case === 'requestTxn') return writes(first.request.value, modRevision)
  return first?.request.case === 'requestDeleteRange'
}

const tags = option(
  oneof(
    constant<Tags>('*'),
    set(bigInt(1n, 5n)).map((list): Tags => new Set(list)),
  ),
  {
    nil: undefined,
  },
)

it('a guarded transaction writes when RFC 9110 says so, and a read is judged alike', () => {
  assert(
    property(tags, tags, bigInt(0n, 6n), (ifMatch, ifNoneMatch, modRevision) => {
      const among = (list: Tags) => modRevision > 0n && (list === '*' || list.has(modRevision))
      const matches = ifMatch === undefined || among(ifMatch)
      const isOther = ifNoneMatch === undefined || !among(ifNoneMatch)
      const key = new Uint8Array([97])
      const remove = { request: { case: 'requestDeleteRange', value: { key } } } as const
      const txn = create(TxnRequestSchema, guardedTxn(key, { ifMatch, ifNoneMatch }, [remove]))
      expect(writes(txn, modRevision)).toBe(matches && isOther)
      if (modRevision === 0n) return
      const verdict = matches ? (isOther ? 'send' : 'not modified') : 'failed'
      expect(judgeRead({ ifMatch, ifNoneMatch }, modRevision)).toBe(verdict)
    }),
    { numRuns: 1000 },
  )
})
