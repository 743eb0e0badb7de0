import { expect, it } from 'vitest'
import { fakeContext } from './testing/fake-services.ts'
import { KEY } from './testing/fetch-app.ts'
import { RawConnection, startServer } from './testing/raw-http.ts'

/** The host names are compared as etcd compares them (a test beside etcd is in test/differential). */
it.each([
  ['good.test', 200],
  ['good.test:2379', 200],
  ['[::1]:2379', 200],
  ['127.0.0.1', 200],
  ['evil.test', 421],
  ['GOOD.test', 421],
  ['good.test.', 421],
  ['[::1]', 421],
  ['good.test:1:2', 421],
])('answers to the host %s with %d', async (host, status) => {
  const server = await startServer(fakeContext({ hosts: ['good.test', '127.0.0.1', '::1'] }))
  const connection = new RawConnection(server.port)
  try {
    for (const [method, target, body] of [
      ['POST', '/v3/kv/range', KEY],
      ['GET', '/version', undefined],
      ['OPTIONS', '/version', undefined],
    ] as const) {
      connection.request(method, target, { Host: host }, body)
      const answer = await connection.readAnswer()
      expect(answer.status).toBe(status)
      expect(answer.headers.has('access-control-allow-origin')).toBe(status === 200)
      if (status === 421) expect(answer.body).toContain(`host name ${JSON.stringify(host.split(':2379')[0])}`)
    }
  } finally {
    connection.close()
    await server.close()
  }
})

it('answers to any host by default', async () => {
  const server = await startServer(fakeContext())
  const connection = new RawConnection(server.port)
  connection.request('GET', '/version', { Host: 'evil.test' })
  expect((await connection.readAnswer()).status).toBe(200)
  connection.close()
  await server.close()
})

it('answers to any host on a listener that has metrics alone', async () => {
  const server = await startServer(fakeContext({ hosts: ['good.test'] }), 'operations')
  try {
    for (const target of ['/metrics', '/health', '/livez']) {
      const connection = new RawConnection(server.port)
      connection.request('GET', target, { Host: 'evil.test' })
      expect((await connection.readHead()).status, target).toBe(200)
      connection.close()
    }
  } finally {
    await server.close()
  }
})
