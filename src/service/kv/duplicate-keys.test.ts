import { create, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import { type RequestOpSchema, TxnRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { checkDuplicateKeys } from './duplicate-keys.ts'

type Operation =
  | { put: string }
  | { from: string; to: string }
  | { success: readonly Operation[]; failure: readonly Operation[] }

const bytes = (text: string) => new TextEncoder().encode(text)

function toOp(op: Operation): MessageInitShape<typeof RequestOpSchema> {
  if ('put' in op) return { request: { case: 'requestPut', value: { key: bytes(op.put) } } }
  if ('from' in op) {
    return {
      request: { case: 'requestDeleteRange', value: { key: bytes(op.from), rangeEnd: bytes(op.to) } },
    }
  }
  const branches = { success: op.success.map(toOp), failure: op.failure.map(toOp) }
  return { request: { case: 'requestTxn', value: branches } }
}

function isRefused(success: readonly Operation[]): boolean {
  try {
    checkDuplicateKeys(create(TxnRequestSchema, { success: success.map(toOp) }))
    return false
  } catch (error) {
    expect(error).toEqual(EtcdError.of('DuplicateKey'))
    return true
  }
}

interface Naive {
  readonly puts: ReadonlySet<string>
  readonly deletes: readonly { from: string; to: string }[]
}

/** etcd's rule, one key and one delete after the other; undefined: refused. */
function naively(ops: readonly Operation[]): Naive | undefined {
  const puts = new Set<string>()
  const deletes = ops.filter((op) => 'from' in op)
  const isDeleted = (key: string) =>
    deletes.some(({ from, to }) => (to === '' ? key === from : from <= key && key < to))
  for (const op of ops) {
    if (!('success' in op)) continue
    const [then, otherwise] = [naively(op.success), naively(op.failure)]
    if (then === undefined || otherwise === undefined) return undefined
    if ([...then.puts].some((key) => puts.has(key) || isDeleted(key))) return undefined
    if ([...otherwise.puts].some((key) => puts.has(key) || isDeleted(key))) return undefined
    for (const key of [...then.puts, ...otherwise.puts]) puts.add(key)
    deletes.push(...then.deletes, ...otherwise.deletes)
  }
  for (const op of ops) {
    if (!('put' in op)) continue
    if (puts.has(op.put) || isDeleted(op.put)) return undefined
    puts.add(op.put)
  }
  return { puts, deletes }
}

test('a transaction is refused exactly when a look at each pair of its operations says so', () => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', '\u0000'), minLength: 1, maxLength: 3 })
  const end = fc.oneof(fc.constantFrom('', '\u0000'), key)
  const { ops } = fc.letrec<{ ops: readonly Operation[] }>((tie) => ({
    ops: fc.array(
      fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.record({ put: key }),
        fc.record({ from: key, to: end }),
        fc.record({ success: tie('ops'), failure: tie('ops') }),
      ),
      { maxLength: 4 },
    ),
  }))
  let refused = 0
  fc.assert(
    fc.property(ops, (success) => {
      const expected = naively(success) === undefined
      if (expected) refused++
      expect(isRefused(success)).toBe(expected)
    }),
    { numRuns: 2000 },
  )
  expect(refused).toBeGreaterThan(100)
})

test('the largest transactions are checked in no time', () => {
  let made = 0
  const nested = (depth: number): Operation[] =>
    Array.from({ length: 42 }, (): Operation => {
      if (depth > 0) return { success: nested(depth - 1), failure: [] }
      const name = String(made++)
      return made % 2 === 0 ? { put: `p${name}` } : { from: `d${name}`, to: '' }
    })
  const success = nested(2)
  const begun = performance.now()
  expect(isRefused(success)).toBe(false)
  // With each put held against each delete it is twenty seconds.
  expect(performance.now() - begun).toBeLessThan(5000)
})
