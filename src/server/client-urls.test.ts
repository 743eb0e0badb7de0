import { expect, it } from 'vitest'
import { clientUrlsOf } from './client-urls.ts'

it.each([
  [{ urls: ['http://10.0.0.1:2381'], hosts: [] }, [], ['http://10.0.0.1:2381']],
  [{ urls: ['http://10.0.0.1:2381'], hosts: [] }, ['http://e.example:2379'], ['http://10.0.0.1:2381']],
  [{ urls: ['http://0.0.0.0:2381'], hosts: [] }, ['http://e.example:2379'], ['http://e.example:2381']],
  [{ urls: ['https://[::]:2381'], hosts: [] }, ['https://[fd00::1]:2379'], ['https://[fd00::1]:2381']],
  [{ urls: [], hosts: ['a.example'] }, ['https://[::1]:2379'], ['https://a.example:2379']],
  [
    { urls: ['http://10.0.0.1:2381'], hosts: ['a.example', 'b.example'] },
    ['http://10.0.0.1:2379'],
    ['http://10.0.0.1:2381', 'http://a.example:2379', 'http://b.example:2379'],
  ],
])('%j of a server at %j', (address, advertised, urls) => {
  expect(clientUrlsOf(address, advertised)).toEqual(urls)
})
