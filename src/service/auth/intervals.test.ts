import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeySet, keyInterval } from './intervals.ts'

/** Short keys of few letters: so that intervals touch, overlap and repeat. */
const key = fc
  .array(fc.constantFrom(0, 1, 97, 98, 255), { minLength: 1, maxLength: 3 })
  .map((bytes) => Uint8Array.from(bytes))
const rangeEnd = fc.oneof(
  { weight: 2, arbitrary: fc.constant(new Uint8Array(0)) },
  { weight: 1, arbitrary: fc.constant(Uint8Array.of(0)) },
  { weight: 4, arbitrary: key },
)
const interval = fc.tuple(key, rangeEnd).map(([key, end]) => keyInterval(key, end))

const compare = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b)
/** Every key of up to four of the letters: between any two short keys that differ there is one. */
const probes: Uint8Array[] = [Uint8Array.of()]
for (let at = 0; probes.length < 800; at++) {
  for (const byte of [0, 1, 97, 98, 255]) probes.push(Uint8Array.from([...(probes[at] ?? []), byte]))
}

function holds({ from, to }: { from: Uint8Array; to: Uint8Array }, probe: Uint8Array): boolean {
  return compare(from, probe) <= 0 && (to.length === 0 || compare(probe, to) < 0)
}

describe('a set of keys', () => {
  test('contains an interval when it contains each of its keys', () => {
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 5 }), interval, (permitted, asked) => {
        const inAsked = probes.filter((probe) => holds(asked, probe))
        fc.pre(inAsked.length > 0)
        const eachIn = inAsked.every((probe) => permitted.some((one) => holds(one, probe)))
        // The probes don't go far enough up to tell an open end from one above them all.
        const opens = asked.to.length === 0 && !permitted.some(({ to }) => to.length === 0)
        expect(KeySet.of(permitted).contains(asked)).toBe(eachIn && !opens)
      }),
      { numRuns: 2000 },
    )
  })

  test('and its gaps are all keys, and no key is in both', () => {
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 5 }), (permitted) => {
        const gaps = KeySet.of(permitted).gaps()
        for (const probe of probes) {
          const isIn = permitted.some((one) => holds(one, probe))
          expect(gaps.filter((gap) => holds(gap, probe)).length).toBe(isIn ? 0 : 1)
        }
      }),
    )
  })

  const bytes = (text: string) => Buffer.from(text, 'latin1')
  test.each([
    [
      'touching intervals are one',
      [
        ['a', 'b'],
        ['b', 'c'],
      ],
      ['a', 'c'],
      true,
    ],
    [
      'a key between is missing',
      [
        ['a', 'b'],
        ['b\0', 'c'],
      ],
      ['a', 'c'],
      false,
    ],
    [
      'a point and what follows it',
      [
        ['a', ''],
        ['a\0', 'c'],
      ],
      ['a', 'c'],
      true,
    ],
    ['to the end', [['a', '\0']], ['b', '\0'], true],
    ['to the end isn’t in a bounded one', [['a', '\xff\xff']], ['b', '\0'], false],
    ['one byte too far', [['a', 'c']], ['a', 'c\0'], false],
    ['one byte too early', [['a', 'c']], ['`\xff', 'b'], false],
    ['an empty interval belongs to where it begins', [['a', 'c']], ['b', 'b'], true],
    ['an empty interval at the end is outside', [['a', 'c']], ['c', 'c'], false],
    ['a reversed interval belongs to where it begins', [['a', 'd']], ['c', 'b'], true],
    ['nothing', [], ['a', ''], false],
  ] as [string, [string, string][], [string, string], boolean][])(
    '%s',
    (_, permitted, [from, to], expected) => {
      const set = KeySet.of(permitted.map(([begin, end]) => keyInterval(bytes(begin), bytes(end))))
      expect(set.contains(keyInterval(bytes(from), bytes(to)))).toBe(expected)
    },
  )

  test('of all keys has no gaps, of none one', () => {
    expect(KeySet.all.gaps()).toEqual([])
    expect(KeySet.of([]).gaps()).toEqual([{ from: new Uint8Array(0), to: new Uint8Array(0) }])
  })
})
