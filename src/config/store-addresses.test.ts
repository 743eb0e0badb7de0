import { describe, expect, it } from 'vitest'
import { readStoreAddresses } from './store-addresses.ts'

describe('the addresses of several stores', () => {
  it('are ports and host names, each store as often as it has some', () => {
    const text = 'a=http://127.0.0.1:2381, b=//B.example,a=https://[::1]:2382/,a=//a.example'
    expect(readStoreAddresses(text)).toEqual([
      { schema: 'a', urls: ['http://127.0.0.1:2381', 'https://[::1]:2382'], hosts: ['a.example'] },
      { schema: 'b', urls: [], hosts: ['b.example'] },
    ])
  })

  it('have host names as clients send them', () => {
    const [store] = readStoreAddresses('a=//Bücher.example,a=//c.example.') ?? []
    expect(store?.hosts).toEqual(['xn--bcher-kva.example', 'c.example'])
  })

  it('may all leave the port to the system', () => {
    expect(readStoreAddresses('a=http://127.0.0.1:0,b=http://127.0.0.1:0')).toHaveLength(2)
  })

  it.each([
    ['nothing', ''],
    ['a name alone', 'a'],
    ['an address alone', '=//a.example'],
    ['a URL without a port', 'a=http://a.example'],
    ['a path', 'a=//a.example/b'],
    ['a host name with a port, which nothing listens on', 'a=//a.example:2379'],
    ['two stores at one host name', 'a=//a.example,b=//A.example'],
    ['two stores at one host name in two spellings', 'a=//bü.example,b=//xn--b-eha.example'],
    ['two stores at one port', 'a=http://127.0.0.1:2381,b=http://127.0.0.1:2381'],
  ])('are not %s', (_, text) => {
    expect(readStoreAddresses(text)).toBeUndefined()
  })
})
