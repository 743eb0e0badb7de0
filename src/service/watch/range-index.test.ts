import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hullOf, isEmptyRange, type KeyRange, rangeOf } from './key-range.ts'
import { RangeIndex } from './range-index.ts'
import { bytes, inRange } from './testing/memory-log.ts'

/** Few different bytes, the extreme ones among them, so that ranges meet. */
const key = fc
  .uint8Array({ maxLength: 4 })
  .map((raw) => raw.map((byte) => [0x00, 0x61, 0x62, 0xff][byte % 4] ?? 0))

function nextPrefix(prefix: Uint8Array): Uint8Array {
  let end = prefix
  while (end.at(-1) === 0xff) end = end.slice(0, -1)
  if (end.length === 0) return new Uint8Array([0])
  const next = end.slice()
  next[next.length - 1] = (next.at(-1) ?? 0) + 1
  return next
}

const range: fc.Arbitrary<KeyRange> = fc
  .oneof(
    key.map((one) => rangeOf(one, new Uint8Array(0))),
    key.map((prefix) => rangeOf(prefix, nextPrefix(prefix))),
    key.map((from) => rangeOf(from, new Uint8Array([0]))),
    fc.tuple(key, key).map(([from, to]) => rangeOf(from, to)),
  )
  .filter((candidate) => !isEmptyRange(candidate))

describe('range index', () => {
  test('finds exactly the members whose range has the key, after any adds and deletes', () => {
    const changes = fc.array(fc.tuple(range, fc.nat({ max: 3 })), { maxLength: 40 })
    fc.assert(
      fc.property(changes, fc.array(key, { minLength: 1, maxLength: 8 }), (list, keys) => {
        const index = new RangeIndex<{ range: KeyRange }>()
        const model = new Set<{ range: KeyRange }>()
        for (const [added, deleted] of list) {
          const member = { range: added }
          index.add(member)
          model.add(member)
          const victim = [...model][deleted]
          if (victim === undefined || deleted === 0) continue
          expect(index.delete(victim)).toBe(true)
          expect(index.delete(victim)).toBe(false)
          model.delete(victim)
        }
        for (const name of keys) {
          const found: unknown[] = []
          index.forEachOn(name, (member) => found.push(member))
          const wanted = [...model].filter((member) => inRange(name, member.range))
          expect(new Set(found)).toEqual(new Set(wanted))
          expect(found.length).toBe(wanted.length)
        }
        for (const member of model) index.delete(member)
        expect(index.size).toBe(0)
        index.forEachOn(bytes('a'), () => expect.unreachable('nothing is left'))
      }),
      { numRuns: 500 },
    )
  })

  test('the hull of ranges has every key of each in it', () => {
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 5 }), key, (ranges, name) => {
        const hull = hullOf(ranges)
        if (ranges.some((one) => inRange(name, one))) expect(hull && inRange(name, hull)).toBe(true)
      }),
      { numRuns: 500 },
    )
    expect(hullOf([])).toBeUndefined()
    const one = rangeOf(bytes('a'), new Uint8Array(0))
    expect(hullOf([one, one])).toBe(one)
  })

  test('etcd: an empty key is the zero byte, and a range that ends before it begins is empty', () => {
    expect(rangeOf(new Uint8Array(0), new Uint8Array(0)).key).toEqual(new Uint8Array([0]))
    expect(isEmptyRange(rangeOf(bytes('b'), bytes('a')))).toBe(true)
    expect(isEmptyRange(rangeOf(bytes('a'), bytes('a')))).toBe(true)
    expect(isEmptyRange(rangeOf(bytes('a'), new Uint8Array([0])))).toBe(false)
    expect(isEmptyRange(rangeOf(bytes('a'), new Uint8Array(0)))).toBe(false)
  })
})
