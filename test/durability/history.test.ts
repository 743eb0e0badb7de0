import { describe, expect, it } from 'vitest'
import { type Applied, checkHistory, type Operation } from './history.ts'

const at = (startedAt: number, endedAt: number) => ({ key: 'k', startedAt, endedAt })
const event = (revision: number, value: string): Applied => ({ key: 'k', value, revision })

describe('the check of histories', () => {
  const applied = [event(2, 'a'), event(3, 'b')]
  const writes: Operation[] = [
    { kind: 'write', ...at(0, 1), value: 'a', revision: 2 },
    { kind: 'write', ...at(2, 3), value: 'b', revision: 3, expectedModRevision: 2 },
  ]

  it('accepts one that the order of revisions explains', () => {
    const read: Operation = { kind: 'read', ...at(1, 4), value: 'a', revision: 2, modRevision: 2 }
    expect(checkHistory(applied, [...writes, read], 2)).toEqual([])
  })

  it('accepts unknown writes that happened and ones that did not, but not refused ones that did', () => {
    const [first] = writes as [Operation]
    const unknown = (value: string): Operation => ({ kind: 'unknown', ...at(2, 3), value })
    expect(checkHistory(applied, [first, unknown('b'), unknown('c')], 2)).toEqual([])
    expect(checkHistory(applied, [first, { ...unknown('b'), kind: 'refused' } as Operation], 2)).toHaveLength(
      1,
    )
  })

  it.each<[string, readonly Applied[], readonly Operation[]]>([
    ['a lost write', [event(2, 'a')], writes],
    [
      'a revision left out',
      [event(2, 'a'), event(4, 'b')],
      [writes[0] as Operation, { ...writes[1], revision: 4 } as Operation],
    ],
    ['a write that happened twice', [...applied, event(4, 'b')], writes],
    ['a write by nobody', [...applied, event(4, 'c')], writes],
    [
      'a stale read',
      applied,
      [...writes, { kind: 'read', ...at(5, 6), value: 'a', revision: 2, modRevision: 2 }],
    ],
    [
      'a read of the future',
      applied,
      [...writes, { kind: 'read', ...at(5, 6), value: 'b', revision: 2, modRevision: 3 }],
    ],
    [
      'a swap of something else',
      applied,
      [writes[0] as Operation, { ...writes[1], expectedModRevision: 1 } as Operation],
    ],
    [
      'a write before one that had ended',
      applied,
      [{ ...writes[0], ...at(2, 3) } as Operation, { kind: 'write', ...at(0, 1), value: 'b', revision: 3 }],
    ],
  ])('finds %s', (_, events, operations) => {
    expect(checkHistory(events, operations, 2)).not.toEqual([])
  })
})
