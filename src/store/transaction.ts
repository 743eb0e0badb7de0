import { Socket } from 'node:net'
import { Client, type ClientConfig } from 'pg'

const CONNECT_TIMEOUT_MS = 10_000

/**
 * Does the work in one transaction on a connection of its own, for what isn't asked while requests are served: all of it
 * or, when it fails, nothing.
 */
export async function inTransaction<T>(
  config: ClientConfig,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return await onConnection(config, async (client) => {
    await client.query('begin')
    const done = await work(client)
    await client.query('commit')
    return done
  })
}

/** Does the work on a connection of its own. */
export async function onConnection<T>(
  config: ClientConfig,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const socket = new Socket()
  const client = new Client({ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...config, stream: () => socket })
  // A connection lost between two statements fails the next one; unheard, it would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    const done = await work(client)
    await client.end()
    return done
  } finally {
    // Also where the server never answered: nothing may keep the process from ending.
    socket.destroy()
  }
}
