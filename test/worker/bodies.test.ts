import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { b64 } from '../support/gateway.ts'
import { startPostgres } from '../support/postgres.ts'
import { startWorkerd } from '../support/workerd.ts'

/** More than an isolate may hold of bodies that aren't complete. */
const BODIES = 80
const BODY_BYTES = 3_800_000

it('bodies whose clients go away in the middle leave room for others', async () => {
  await using postgres = await startPostgres(18)
  await using worker = await startWorkerd({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
  const { hostname, port } = new URL(worker.gateway.url)
  const part = Buffer.alloc(BODY_BYTES, 'A')
  for (let i = 0; i < BODIES; i++) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.write(`POST /v3/kv/put HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 4000000\r\n\r\n`)
    await new Promise((resolve) => socket.write(part, resolve))
    socket.destroy()
    await once(socket, 'close')
  }
  const { status } = await worker.gateway.call('/v3/kv/put', {
    key: b64('k'),
    value: b64('v'.repeat(300_000)),
  })
  expect(status).toBe(200)
})
