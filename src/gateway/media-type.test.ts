import { expect, it } from 'vitest'
import { namesMediaType } from './media-type.ts'

it.each([
  ['text/event-stream', true],
  ['application/json, Text/Event-Stream;q=0.5', true],
  ['*/*', false],
  ['text/*', false],
  ['text/event-streams', false],
  ['x-text/event-stream', false],
  [undefined, false],
])('an Accept of %s names text/event-stream: %s', (accept, named) => {
  expect(namesMediaType(accept, 'text/event-stream')).toBe(named)
})
