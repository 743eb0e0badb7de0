import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nameBytes, nameOf } from './names.ts'

test('every name comes back as it was', () => {
  for (const name of ['root', '\u0000', '\ufeffbom', '🔑']) expect(nameOf(nameBytes(name))).toBe(name)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(nameOf(nameBytes(name))).toBe(name)
    }),
  )
})
