import { expect, it } from 'vitest'
import { createGateway } from './gateway/node.ts'
import { fakeContext } from './gateway/testing/fake-services.ts'
import { RawConnection, startServer } from './gateway/testing/raw-http.ts'
import { listen } from './http-server.ts'

it('says which address is taken, and leaves the others free', async () => {
  const taken = await startServer(fakeContext())
  const free = await startServer(fakeContext())
  await free.close()
  const urls = [`http://127.0.0.1:${free.port}`, `http://127.0.0.1:${taken.port}`]
  await expect(listen(urls, createGateway(fakeContext()))).rejects.toThrow(
    `can't listen on http://127.0.0.1:${taken.port}: another program listens there`,
  )
  const servers = await listen([`http://127.0.0.1:${free.port}`], createGateway(fakeContext()))
  await servers.stop()
  await taken.close()
})

it('stops with idle connections and open watches at once', async () => {
  const { port, close } = await startServer(fakeContext())
  await close()
  const servers = await listen([`http://127.0.0.1:${port}`], createGateway(fakeContext()))
  const idle = new RawConnection(port)
  idle.request('GET', '/version', {})
  await idle.readAnswer()
  const watch = new RawConnection(port)
  watch.request('POST', '/v3/watch', {}, '{"create_request":{}}')
  await watch.readHead()
  const ended = Promise.all([idle.closed(), watch.closed()])
  await servers.stop()
  await ended
  const late = new RawConnection(port)
  await late.closed()
})
