import type { Environment, Log } from '../environment.ts'
import { NEVER } from '../never.ts'
import { unrepeatedLog } from '../unrepeated-log.ts'
import { aroundSql } from './around-sql.ts'
import { SERVER } from './authority.ts'
import { CoordinatedWrites, type WriteCoordinator } from './coordinated-writes.ts'
import { etcdFailure, isStoreMissing } from './failure.ts'
import { LeaseDeadline } from './lease-deadline.ts'
import { loggedSql } from './logged-sql.ts'
import { RefusedBy } from './program/instruction.ts'
import { Reader } from './reader.ts'
import { retriedSql } from './retried.ts'
import type { Sql, Statement } from './sql.ts'
import { SqlEventLog } from './sql-event-log.ts'
import { type StatementFactory, statementFactory } from './statement.ts'
import headSql from './statements/head.sql'
import type { Head, Identity } from './types.ts'
import { type Batch, WriteQueue, type WriteRequest, type Writes } from './write-queue.ts'

export interface EngineOptions {
  readonly sql: Sql
  readonly schema: string
  readonly environment: Environment
  /** Whether the process lives between requests: then it ends leases at their deadlines by a timer. */
  readonly leaseTimer: boolean
  /** What is remembered, if the engine itself lives for one request only. */
  readonly memory?: EngineMemory
  /** Who runs the writes, if their answers can't be large; without one the engine does, in batches of its own. */
  readonly coordinator?: WriteCoordinator
  /** How many bytes of writes may wait for their batch; LIMITS.batchQueueBytesMax unless it is said. */
  readonly queueBytesMax?: number
  /** Called for each batch of writes when its statement has been answered. */
  batched?(batch: Batch): void
}

/** What is found out or made once in the life of a process or isolate, for one store. */
export interface EngineMemory {
  identity?: Identity
  statement?: StatementFactory
  /** Where the causes of failures are said. */
  failures?: Log
}

/**
 * A write whose answer may have the values of more keys than this is run without a coordinator: one says 32 MiB at the most,
 * by the platform's limit, and has its memory for everybody.
 */
const COORDINATED_ANSWER_KEYS_MAX = 16

/** What all callers of a store share: its connections, the queue of its writes, the clock of its leases. */
export class Engine {
  readonly sql: Sql
  readonly statement: StatementFactory
  /** Reads in the server's own name. */
  readonly reader: Reader
  readonly events: SqlEventLog

  readonly #queue: Writes
  readonly #coordinated: Writes | undefined
  readonly #deadline: LeaseDeadline
  readonly #head: Statement
  readonly #memory: EngineMemory
  #identity: Promise<Identity> | undefined
  #expiring: Promise<void> | undefined

  constructor(options: EngineOptions) {
    const { environment, batched, coordinator } = options
    this.#memory = options.memory ?? {}
    this.#memory.failures ??= unrepeatedLog(environment)
    const sent = aroundSql(loggedSql(options.sql, this.#memory.failures), async (run) => {
      try {
        return await run()
      } catch (error) {
        // Whichever store is made here next is another one.
        if (isStoreMissing(error)) this.#forgetIdentity()
        throw error
      }
    })
    const sql = retriedSql(sent, environment)
    this.sql = sql
    this.#memory.statement ??= statementFactory(options.schema)
    this.statement = this.#memory.statement
    this.#head = this.statement('head', headSql, [])
    this.reader = new Reader({
      sql,
      expireLeases: () => this.expireLeases(),
      leaseDue: (dueMs) => this.leaseDue(dueMs),
    })
    this.#deadline = new LeaseDeadline(environment, options.leaseTimer, async () => {
      await this.reader.read(this.#head, [])
    })
    this.events = new SqlEventLog(this.reader, this.statement)
    const committed = (head: Head, dueMs: bigint | null) => {
      this.leaseDue(dueMs)
      this.events.written(head.revision)
    }
    this.#queue = new WriteQueue({
      sql: sent,
      statement: this.statement,
      environment,
      committed,
      queueBytesMax: options.queueBytesMax,
      ...(batched && { batched }),
    })
    this.#coordinated =
      coordinator &&
      new CoordinatedWrites({ coordinator, environment, committed: (head) => committed(head, null) })
  }

  /** Who the store is; asked once, then remembered. */
  identity(): Promise<Identity> {
    if (this.#memory.identity !== undefined) return Promise.resolve(this.#memory.identity)
    this.#identity ??= this.#readIdentity()
    this.#identity.catch(() => {
      this.#identity = undefined
    })
    return this.#identity
  }

  /** Runs one request as a member of a batch. Fails with an EtcdError. */
  write<T>(request: WriteRequest<T>, signal: AbortSignal): Promise<T> {
    const { answerKeys = 0 } = request
    const writes = answerKeys > COORDINATED_ANSWER_KEYS_MAX ? undefined : this.#coordinated
    return (writes ?? this.#queue).write(request, signal)
  }

  /** Writes that wait for the next batch. */
  get pendingWrites(): number {
    return this.#queue.pending + (this.#coordinated?.pending ?? 0)
  }

  /** Told of the time to the next lease deadline, in milliseconds (null: no lease). */
  leaseDue(dueMs: bigint | null): void {
    this.#deadline.observe(dueMs)
  }

  /**
   * Ends the leases that are due, by an ordinary write: each batch does that before its first request. One run at a
   * time, which all who ask share.
   */
  expireLeases(): Promise<void> {
    const anything: WriteRequest<void> = {
      rpc: 'lease expiry',
      authVersion: SERVER.authVersion,
      refusedBy: RefusedBy.None,
      operations: 1,
      bytes: 0,
      compile: () => () => {},
    }
    this.#expiring ??= this.write(anything, NEVER).finally(() => {
      this.#expiring = undefined
    })
    return this.#expiring
  }

  /** Finishes the writes that were accepted, then closes the connections. */
  async close(): Promise<void> {
    this.#deadline.close()
    await Promise.all([this.#queue.stop(), this.#coordinated?.stop()])
    await this.sql.close()
  }

  #forgetIdentity(): void {
    delete this.#memory.identity
    this.#identity = undefined
  }

  async #readIdentity(): Promise<Identity> {
    const [row] = await this.sql.read(this.#head, []).catch((error: unknown) => {
      throw etcdFailure(error)
    })
    if (row === undefined) throw new Error('the store has no head row')
    const identity = { clusterId: row[4] as bigint, memberId: row[5] as bigint, raftTerm: row[6] as bigint }
    this.#memory.identity = identity
    return identity
  }
}
