import { afterAll, beforeAll } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import type { GatewayServer } from '../support/etcd.ts'
import type { Gateway } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { startWorkerd } from '../support/workerd.ts'
import { KeyClient } from './client.ts'

/** The ways to run edgetcd that `/keys/` is tested on. */
export const SERVERS = { Node: startEdgetcd, workerd: startWorkerd } as const

/** Clients of one server; there while its tests run. */
export interface KeyServer {
  readonly keys: KeyClient
  readonly gateway: Gateway
}

/** A server of this kind on a store of its own, for the tests of a block. */
export function serverOf(start: (typeof SERVERS)[keyof typeof SERVERS]): KeyServer {
  let postgres: Postgres
  let server: GatewayServer
  let keys: KeyClient
  beforeAll(async () => {
    postgres = await startPostgres(18)
    server = await start({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
    keys = new KeyClient(server.gateway.url)
  })
  afterAll(async () => {
    keys[Symbol.dispose]()
    await server[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })
  return {
    get keys() {
      return keys
    },
    get gateway() {
      return server.gateway
    },
  }
}
