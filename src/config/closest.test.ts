import { expect, it } from 'vitest'
import { closest } from './closest.ts'

const NAMES = ['data-dir', 'database-url', 'listen-client-urls', 'listen-metrics-urls', 'name', 'cors']

it.each([
  ['listen-client-url', 'listen-client-urls'],
  ['lisetn-client-urls', 'listen-client-urls'],
  ['datadir', 'data-dir'],
  ['DATA_DIR', 'data-dir'],
  ['database', undefined],
  ['nmae', 'name'],
  ['core', 'cors'],
  ['x', undefined],
  ['peer-urls', undefined],
])('%s was meant to be %s', (word, name) => expect(closest(word, NAMES)).toBe(name))
