import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startProxy, type TcpProxy } from './proxy.ts'

/** A server that answers each byte with itself. */
let echo: ReturnType<typeof createServer>
let accepted: Socket[]
let proxy: TcpProxy

beforeEach(async () => {
  accepted = []
  echo = createServer((socket) => {
    accepted.push(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await startProxy((echo.address() as { port: number }).port)
})

afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  for (const socket of accepted) socket.destroy()
  echo.close()
})

async function connected(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('a')
  await once(socket, 'data')
  return socket
}

it('resets connections, and lets new ones through', async () => {
  const socket = await connected()
  proxy.reset()
  await new Promise((closed) => socket.once('close', closed))
  await connected()
})

it('falls silent, and passes on late what it held back', async () => {
  const socket = await connected()
  proxy.silence()
  socket.write('b')
  let heard = false
  socket.once('data', () => {
    heard = true
  })
  await sleep(100)
  expect(heard).toBe(false)
  proxy.resume()
  await once(socket, 'data')
})

it('leaves the client with a connection whose far end is gone', async () => {
  const socket = await connected()
  proxy.halfOpen()
  await once(accepted[0] as Socket, 'close')
  socket.write('b')
  await sleep(100)
  expect(socket.destroyed).toBe(false)
  await connected()
})
