/** A server and its connections for one test, closed after it. */
import { afterEach } from 'vitest'
import type { Call } from '../../service/call.ts'
import type { Context } from '../context.ts'
import { fakeContext, fakeServices, type SomeServices } from './fake-services.ts'
import { RawConnection, startServer, type TestServer } from './raw-http.ts'

/** The request that creates a watch. */
export const CREATE = '{"create_request":{"key":"YQ=="}}'

const servers: TestServer[] = []
const connections: RawConnection[] = []

/** Serves the fake services, but for what is given, in a context of fakes, likewise. */
export async function serve(
  services: SomeServices = {},
  overrides: Partial<Context> = {},
): Promise<TestServer> {
  const server = await startServer(fakeContext({ services: fakeServices(services), ...overrides }))
  servers.push(server)
  return server
}

export function open({ port }: TestServer): RawConnection {
  const connection = new RawConnection(port)
  connections.push(connection)
  return connection
}

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

/** A promise and its resolver. */
export function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** Resolves when the call's signal aborts, with the reason. */
export function aborted({ signal }: Call): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    else signal.addEventListener('abort', () => resolve(signal.reason))
  })
}
