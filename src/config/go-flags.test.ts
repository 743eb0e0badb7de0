import { expect, it, test } from 'vitest'
import { readGoFlags } from './go-flags.ts'

const KINDS = new Map([
  ['on', 'switch'],
  ['size', 'value'],
  ['each', 'list'],
] as const)
const kindOf = (name: string) => KINDS.get(name as 'on')
const read = (...args: string[]) => {
  const { flags, words } = readGoFlags(args, kindOf, (name) => `; not ${name}?`)
  return { flags: Object.fromEntries(flags), words }
}

/** As Go's flag package reads them. */
test.each([
  [['--size', '5'], { size: '5' }],
  [['-size=5'], { size: '5' }],
  [['--size', '-1'], { size: '-1' }],
  [['--size', '--on'], { size: '--on' }],
  [['--size='], { size: '' }],
  [['--size=a=b\nc'], { size: 'a=b\nc' }],
  [['--size', '1', '--size', '2'], { size: '2' }],
  [['--each', 'a', '--each=b,c'], { each: 'a,b,c' }],
  [['--on'], { on: 'true' }],
  [['-on=false'], { on: 'false' }],
  [['--on=0', '--size=1'], { on: '0', size: '1' }],
])('%j', (args, flags) => expect(read(...args)).toEqual({ flags, words: [] }))

it('leaves words alone: a switch takes none, and a dash is one', () => {
  expect(read('serve', '--on', 'false', '-')).toEqual({
    flags: { on: 'true' },
    words: ['serve', 'false', '-'],
  })
})

test.each([
  [['--sise', '5'], 'unknown flag --sise; not sise?'],
  [['-o'], 'unknown flag --o'],
  [['--size'], 'flag needs a value: --size'],
])('%j is refused', (args, message) => expect(() => read(...args)).toThrow(message))
