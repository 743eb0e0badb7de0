import { create } from '@bufbuild/protobuf'
import { assert, asyncProperty, bigInt, constant, oneof, option, set } from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Compare_CompareResult as Result,
  TxnRequestSchema,
  TxnResponseSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KvClient } from '../../service/kv/client.ts'
import { judgeRead, readConditions, type Tags } from './conditions.ts'
import { writeGuarded } from './guarded-write.ts'

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
      expect(performance.now() - started).toBeLessThan(5000)
    }
  })
})

const HOLDS: Readonly<Record<Result, (actual: bigint, operand: bigint) => boolean>> = {
  [Result.EQUAL]: (actual, operand) => actual === operand,
  [Result.NOT_EQUAL]: (actual, operand) => actual !== operand,
  [Result.GREATER]: (actual, operand) => actual > operand,
  [Result.LESS]: (actual, operand) => actual < operand,
}

/** A KV service with one key, at this mod_revision, 0n if there is none. It says what a transaction did. */
function storeAt(modRevision: bigint) {
  const done: (string | undefined)[] = []
  const txn: KvClient['txn'] = async (request) => {
    const { compare, success, failure } = create(TxnRequestSchema, request)
    const succeeded = compare.every(
      ({ result, targetUnion: { value } }) => typeof value === 'bigint' && HOLDS[result](modRevision, value),
    )
    done.push(...(succeeded ? success : failure).map(({ request: { case: name } }) => name))
    return create(TxnResponseSchema, { header: { revision: 9n }, succeeded })
  }
  return { txn, done }
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

it('a guarded transaction writes when RFC 9110 says so, and a read is judged alike', async () => {
  await assert(
    asyncProperty(tags, tags, bigInt(0n, 6n), async (ifMatch, ifNoneMatch, modRevision) => {
      const among = (list: Tags) => modRevision > 0n && (list === '*' || list.has(modRevision))
      const matches = ifMatch === undefined || among(ifMatch)
      const isOther = ifNoneMatch === undefined || !among(ifNoneMatch)
      const key = new Uint8Array([97])
      const remove = { request: { case: 'requestDeleteRange', value: { key } } } as const
      const store = storeAt(modRevision)
      const outcome = await writeGuarded(key, { ifMatch, ifNoneMatch }, [remove], store)
      expect('written' in outcome).toBe(matches && isOther)
      expect(store.done).toEqual([matches && isOther ? 'requestDeleteRange' : 'requestRange'])
      if (modRevision === 0n) return
      const verdict = matches ? (isOther ? 'send' : 'not modified') : 'failed'
      expect(judgeRead({ ifMatch, ifNoneMatch }, modRevision)).toBe(verdict)
    }),
    { numRuns: 1000 },
  )
})
