import { connect, createServer, type Socket } from 'node:net'
import { encode, errorResponse, type Message, MessageReader, readString } from './hyperdrive-messages.ts'
import type { Postgres } from './postgres.ts'

/** What becomes of one run of a statement. */
export type Fault =
  /** It is answered with an error, and never run. */
  | { readonly sqlstate: string; readonly text: string }
  /** The connection is lost before it is run, or when it has been committed. */
  | 'lost before'
  | 'lost after'

export interface YugabyteDbOptions {
  /** READ COMMITTED isn't in effect: what asks for it gets snapshot isolation. */
  readonly snapshotIsolation?: boolean
}

/** A PostgreSQL that passes for YugabyteDB, as far as edgetcd tells them apart. */
export interface YugabyteDbStandIn extends AsyncDisposable {
  readonly url: string
  /** What was sent that YugabyteDB doesn't have. */
  readonly lacking: readonly string[]
  /** Faults for the next runs of the statement of this name, one a run. */
  fail(statement: string, ...faults: readonly Fault[]): void
  /** How often the statement of this name was run. */
  runs(statement: string): number
}

/** Where its syntax is more than PostgreSQL's, and what it says of itself. Everything else goes through as it is. */
const TRANSLATIONS: readonly (readonly [RegExp, string])[] = [
  [/(?<=primary key \([^)]*) asc\b/g, ''],
  [/current_setting\('server_version'\)/g, `'15.12-YB-2025.2.0.0-b131'`],
  [/current_setting\('yb_bnl_batch_size', true\)/g, `'1024'`],
  [/yb_get_effective_transaction_isolation_level\(\)/g, `current_setting('default_transaction_isolation')`],
]
const TO_SNAPSHOTS = [
  /'default_transaction_isolation', 'read committed'/g,
  `'default_transaction_isolation', 'repeatable read'`,
] as const

/** What it has not, or not in all versions from 2025.1 on, or not unless it is switched on (docs/yugabytedb.md). */
const LACKING =
  /\b(lock table|pg_advisory\w*|listen|notify|ctid|xmin|xmax|pg_current_wal_lsn|pg_walfile_name|fillfactor|set compression)\b/i

/** Starts one in front of a PostgreSQL. */
export async function startYugabyteDbStandIn(
  postgres: Postgres,
  { snapshotIsolation = false }: YugabyteDbOptions = {},
): Promise<YugabyteDbStandIn> {
  const faults = new Map<string, Fault[]>()
  const runs = new Map<string, number>()
  const lacking: string[] = []
  const sockets = new Set<Socket>()
  const translations = snapshotIsolation ? [...TRANSLATIONS, TO_SNAPSHOTS] : TRANSLATIONS
  const translate = (message: Message): Message => {
    const text = message.body.toString('latin1')
    const found = LACKING.exec(text.replace(/--.*/g, ''))
    if (found) lacking.push(found[0])
    const translated = translations.reduce((before, [from, to]) => before.replaceAll(from, to), text)
    return { type: message.type, body: Buffer.from(translated, 'latin1') }
  }
  const takeFault = (prepared: string): Fault | undefined => {
    // Where several stores share connections, the number of the store stands before the name.
    const statement = prepared.replace(/^\d+ /, '')
    runs.set(statement, (runs.get(statement) ?? 0) + 1)
    return faults.get(statement)?.shift()
  }
  const server = createServer((near) => {
    const far = connect(postgres.port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket
        .setNoDelay()
        .on('error', () => {})
        .on('close', () => sockets.delete(socket))
    }
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    pass(near, far, translate, takeFault)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `yugabytedb://postgres@127.0.0.1:${address.port}/postgres`,
    lacking,
    fail: (statement, ...more) => faults.set(statement, [...more]),
    runs: (statement) => runs.get(statement) ?? 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Passes one connection's messages in both directions. */
function pass(
  near: Socket,
  far: Socket,
  translate: (message: Message) => Message,
  takeFault: (prepared: string) => Fault | undefined,
): void {
  const fromClient = new MessageReader(false)
  const fromServer = new MessageReader(true)
  /** For each ReadyForQuery that is to come, the first one greets, what happens in front of it. */
  const expected: (Fault | undefined)[] = [undefined]
  let fault: Fault | undefined
  near.on('data', (data) => {
    const sent: Buffer[] = []
    for (const message of fromClient.read(data)) {
      const { type, body } = message
      if (type === 'B') fault = takeFault(readString(body, readString(body).next).text)
      if (fault === 'lost before') {
        near.resetAndDestroy()
        return
      }
      // What is refused is never run: binding, describing and executing it are left out.
      if (typeof fault === 'object' && 'BDE'.includes(type) && type !== '') continue
      if (type === 'S' || type === 'Q') {
        expected.push(fault)
        fault = undefined
      }
      sent.push(encode(type === 'P' || type === 'Q' ? translate(message) : message))
    }
    far.write(Buffer.concat(sent))
  })
  far.on('data', (data) => {
    const sent: Buffer[] = []
    for (const message of fromServer.read(data)) {
      const happens = message.type === 'Z' ? expected.shift() : undefined
      if (happens === 'lost after') {
        near.resetAndDestroy()
        return
      }
      if (typeof happens === 'object') sent.push(encode(errorResponse(happens.sqlstate, happens.text)))
      sent.push(encode(message))
    }
    near.write(Buffer.concat(sent))
  })
}
