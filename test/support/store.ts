import { randomBytes } from 'node:crypto'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Environment } from '../../src/environment.ts'
import {
  CompactionRequestSchema,
  DeleteRangeRequestSchema,
  PutRequestSchema,
  RangeRequestSchema,
  TxnRequestSchema,
} from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { NEVER } from '../../src/never.ts'
import { Engine } from '../../src/store/engine.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openPostgres } from '../../src/store/postgres/index.ts'
import type { Sql } from '../../src/store/sql.ts'
import { Store } from '../../src/store/store.ts'
import type { Postgres } from './postgres.ts'

/** The real clock and chance, and a log that keeps quiet. */
export const environment: Environment = {
  clock: {
    now: () => Date.now(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms)
        signal?.addEventListener('abort', () => {
          clearTimeout(timer)
          resolve()
        })
      }),
  },
  random: {
    int63: () => randomBytes(8).readBigUInt64BE() >> 1n || 1n,
    fraction: Math.random,
  },
  log: () => {},
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (value: Uint8Array): string => new TextDecoder().decode(value)

/** A store on a schema of its own, asked by etcd's messages written as plain objects. */
export async function openStore(postgres: Postgres, options: { readonly sql?: Sql } = {}) {
  const schema = postgres.freshSchema()
  const config = { connectionString: postgres.url }
  await migrate(config, schema, environment.log)
  const store = new Store(
    new Engine({
      sql: options.sql ?? openPostgres(config),
      schema,
      environment,
      leaseTimer: false,
    }),
  )
  return {
    store,
    schema,
    put: (request: MessageInitShape<typeof PutRequestSchema>) =>
      store.put(create(PutRequestSchema, request), NEVER),
    del: (request: MessageInitShape<typeof DeleteRangeRequestSchema>) =>
      store.deleteRange(create(DeleteRangeRequestSchema, request), NEVER),
    range: (request: MessageInitShape<typeof RangeRequestSchema>) =>
      store.range(create(RangeRequestSchema, request)),
    rangePart: (request: MessageInitShape<typeof RangeRequestSchema>) =>
      store.rangePart(create(RangeRequestSchema, request)),
    txn: (request: MessageInitShape<typeof TxnRequestSchema>) =>
      store.txn(create(TxnRequestSchema, request), 0, NEVER),
    inspect: (request: MessageInitShape<typeof TxnRequestSchema>) =>
      store.inspect(create(TxnRequestSchema, request)),
    compact: (revision: bigint) => store.compact(create(CompactionRequestSchema, { revision }), NEVER),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
export type TestStore = Awaited<ReturnType<typeof openStore>>
