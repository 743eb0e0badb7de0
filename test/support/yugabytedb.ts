import { connect, createServer, type Socket } from 'node:net'
import {
  encode,
  errorResponse,
  type Message,
  MessageReader,
  ofStrings,
  readString,
} from './hyperdrive-messages.ts'
import type { Postgres } from './postgres.ts'

/** An error, with what it may say besides: the detail, and the function that it comes from. */
export interface Refusal {
  readonly sqlstate: string
  readonly text: string
  readonly detail?: string
  readonly where?: string
  /**
   * When it comes. At first, if nothing is said: the statement is never run; or even when it is to be prepared. Or in place of
   * the commit's answer, behind all rows, and the transaction was rolled back, or committed all the same.
   */
  readonly at?: 'preparing' | 'rollback' | 'commit'
}

/** What becomes of one run of a statement. */
export type Fault =
  | Refusal
  /** The connection is lost before it is run, in the middle of its first row, or when it has been committed. */
  | 'lost before'
  | 'lost within'
  | 'lost after'

export interface YugabyteDbOptions {
  /** READ COMMITTED isn't in effect: what asks for it gets snapshot isolation. */
  readonly snapshotIsolation?: boolean
  /** What it says of settings that PostgreSQL doesn't have. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A PostgreSQL that passes for YugabyteDB, as far as edgetcd tells them apart. */
export interface YugabyteDbStandIn extends AsyncDisposable {
  readonly url: string
  /** What was sent that YugabyteDB doesn't have. */
  readonly lacking: readonly string[]
  /**
   * What becomes of each run of a statement that `fail` says nothing of, until it is set to nothing. What isn't prepared has its
   * text for a name.
   */
  chaos: ((statement: string) => Fault | undefined) | undefined
  /** Faults for the next runs of the statement of this name, one a run. */
  fail(statement: string, ...faults: readonly Fault[]): void
  /** How often the statement of this name was run. */
  runs(statement: string): number
}

/** Where its syntax is more than PostgreSQL's, and what it says of itself. Everything else goes through as it is. */
const TRANSLATIONS: readonly (readonly [RegExp, string])[] = [
  [/(?<=primary key \([^)]*) asc\b/g, ''],
  [/(?<=create index) nonconcurrently\b/g, ''],
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
  { snapshotIsolation = false, settings = {} }: YugabyteDbOptions = {},
): Promise<YugabyteDbStandIn> {
  const faults = new Map<string, Fault[]>()
  const runs = new Map<string, number>()
  const lacking: string[] = []
  const sockets = new Set<Socket>()
  const told = Object.entries(settings).map(
    ([name, value]) => [new RegExp(`current_setting\\('${name}', true\\)`, 'g'), `'${value}'`] as const,
  )
  const translations = [...TRANSLATIONS, ...told, ...(snapshotIsolation ? [TO_SNAPSHOTS] : [])]
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
    return faults.get(statement)?.shift() ?? standIn.chaos?.(statement)
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
  const standIn: YugabyteDbStandIn = {
    chaos: undefined,
    url: `yugabytedb://postgres@127.0.0.1:${address.port}/postgres`,
    lacking,
    fail: (statement, ...more) => faults.set(statement, [...more]),
    runs: (statement) => runs.get(statement) ?? 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  return standIn
}

/** A statement that fails, for behind another one: then the transaction of both is rolled back, though the first one was answered. */
const FAILING: readonly Message[] = [
  { type: 'P', body: Buffer.concat([ofStrings('', '', 'select 1/0').body, Buffer.alloc(2)]) },
  { type: 'B', body: Buffer.alloc(8) },
  { type: 'E', body: Buffer.alloc(5) },
]

const refused = (fault: Refusal): Buffer =>
  encode(errorResponse(fault.sqlstate, fault.text, { D: fault.detail, W: fault.where }))

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
  let preparing: Message | undefined
  near.on('data', (data) => {
    const sent: Buffer[] = []
    for (const message of fromClient.read(data)) {
      const { type, body } = message
      // What is prepared is run at once: this waits for what becomes of that.
      if (type === 'P') {
        preparing = message
        continue
      }
      if (type === 'B') fault = takeFault(readString(body, readString(body).next).text)
      if (preparing !== undefined && !(typeof fault === 'object' && fault.at === 'preparing'))
        sent.push(encode(translate(preparing)))
      preparing = undefined
      if (fault === 'lost before') {
        near.resetAndDestroy()
        return
      }
      // What is refused at first is never run: binding, describing and executing it are left out.
      if (type === 'Q') fault = takeFault(readString(body).text)
      const neverRun = typeof fault === 'object' && (fault.at === undefined || fault.at === 'preparing')
      if (neverRun && 'BDE'.includes(type) && type !== '') continue
      if (type === 'S' || type === 'Q') {
        if (typeof fault === 'object' && fault.at === 'rollback') sent.push(...FAILING.map(encode))
        expected.push(fault)
        fault = undefined
        if (type === 'Q' && neverRun) {
          sent.push(encode({ type: 'S', body: Buffer.alloc(0) }))
          continue
        }
      }
      sent.push(encode(type === 'Q' ? translate(message) : message))
    }
    far.write(Buffer.concat(sent))
  })
  /** Whether the statement has been answered that another one, which fails, was put behind. */
  let answered = false
  far.on('data', (data) => {
    const sent: Buffer[] = []
    for (const message of fromServer.read(data)) {
      const { type } = message
      const now = expected[0]
      if (now === 'lost within' && type === 'D') {
        near.write(Buffer.concat([...sent, encode(message).subarray(0, 8)]), () => near.resetAndDestroy())
        return
      }
      if (type === 'Z') {
        expected.shift()
        answered = false
        if (now === 'lost after') {
          near.resetAndDestroy()
          return
        }
        if (typeof now === 'object') sent.push(refused(now))
      }
      if (!answered) sent.push(encode(message))
      answered ||= type === 'C' && typeof now === 'object' && now.at === 'rollback'
    }
    near.write(Buffer.concat(sent))
  })
}
