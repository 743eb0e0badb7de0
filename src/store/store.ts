import type { Environment } from '../environment.ts'
import type {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { Alarms } from './alarms.ts'
import { Roles } from './auth/roles.ts'
import { Users } from './auth/users.ts'
import { Compaction } from './compaction.ts'
import { etcdFailure } from './failure.ts'
import { HistoryHash } from './history-hash.ts'
import { LeaseDeadline } from './lease-deadline.ts'
import { Leases } from './leases.ts'
import { compileDeleteRange, compilePut, compileTxn, mayPut } from './program/compile.ts'
import { Instruction, RefusedBy } from './program/instruction.ts'
import { PROGRAM_TYPES, Program } from './program/program.ts'
import {
  branchResponses,
  collectSteps,
  deleteRangeAnswer,
  outcomeError,
  putAnswer,
  stepResult,
} from './program/results.ts'
import { keysAtMost, RangeReader, type RangeResult, SHORT_RANGE_KEYS_MAX } from './range.ts'
import { headAt, Reader } from './reader.ts'
import { Snapshots } from './snapshot.ts'
import type { Sql, Statement } from './sql.ts'
import { SqlEventLog } from './sql-event-log.ts'
import { statementFactory } from './statement.ts'
import headSql from './statements/head.sql'
import inspectSql from './statements/inspect.sql'
import recoverSql from './statements/recover.sql'
import { StatusReader } from './status.ts'
import type { Head, Identity } from './types.ts'
import { WriteQueue, type WriteRequest } from './write-queue.ts'

export interface StoreOptions {
  readonly sql: Sql
  readonly schema: string
  readonly environment: Environment
  /** Whether the process lives between requests: then it ends leases at their deadlines by a timer. */
  readonly leaseTimer: boolean
  /** Where the identity is remembered, if the store itself lives for one request only. */
  readonly memory?: StoreMemory
  /** Called for each batch of writes, with its size; for metrics. */
  batched?(requests: number): void
}

/** What is asked of the database once in the life of a process or isolate. */
export interface StoreMemory {
  identity?: Identity
}

type TxnAnswer = { readonly head: Head } & ReturnType<typeof branchResponses>

const NEVER = new AbortController().signal
/** The caller doesn't ask for authorization. */
const NO_AUTH = -1n

/** The column of the revision in inspect's first row. */
const INSPECT_HEAD_AT = 5

/** Whether a transaction of ranges asks for no more keys than a short read may. */
function isShort({ compare, success, failure }: TxnRequest): boolean {
  if (compare.some(({ rangeEnd }) => rangeEnd.length > 0)) return false
  let keys = 0n
  for (const { request } of [...success, ...failure]) {
    if (request.case === 'requestRange') keys += keysAtMost(request.value)
  }
  return keys <= SHORT_RANGE_KEYS_MAX
}

/** What a delete of an interval counts for in a batch: nobody knows how many keys it will touch. */
const RANGE_DELETE_OPERATIONS = 64

/**
 * The store: etcd's keys, leases and history over PostgreSQL. What is asked comes in as etcd's messages that have passed
 * their shape checks; each call is one SQL statement, with the exceptions that a method names. All fail with an EtcdError.
 */
export class Store {
  readonly events: SqlEventLog
  readonly leases: Leases
  readonly compaction: Compaction
  readonly history: HistoryHash
  readonly snapshots: Snapshots
  readonly status: StatusReader
  readonly alarms: Alarms
  readonly users: Users
  readonly roles: Roles

  readonly #sql: Sql
  readonly #reader: Reader
  readonly #ranges: RangeReader
  readonly #writes: WriteQueue
  readonly #deadline: LeaseDeadline
  readonly #head: Statement
  readonly #inspect: Statement
  readonly #recover: Statement
  readonly #memory: StoreMemory
  #identity: Promise<Identity> | undefined
  #expiring: Promise<void> | undefined

  constructor(options: StoreOptions) {
    const { sql, environment, batched } = options
    const statement = statementFactory(options.schema)
    const expireLeases = () => this.expireLeases()
    const leaseDue = (dueMs: bigint | null) => this.#deadline.observe(dueMs)
    this.#sql = sql
    this.#memory = options.memory ?? {}
    this.#deadline = new LeaseDeadline(environment, options.leaseTimer, async () => {
      await this.head()
    })
    this.#reader = new Reader({ sql, expireLeases, leaseDue })
    this.#ranges = new RangeReader(this.#reader, statement)
    this.#head = statement('head', headSql, [])
    this.#inspect = statement('inspect', inspectSql, PROGRAM_TYPES)
    this.#recover = statement('recover', recoverSql, ['int8'])
    this.events = new SqlEventLog(this.#reader, statement)
    this.leases = new Leases(this.#reader, statement, { expireLeases, leaseDue })
    this.compaction = new Compaction(sql, statement)
    this.history = new HistoryHash(this.#reader, statement, () => this.head())
    this.snapshots = new Snapshots(this.#reader, statement)
    this.status = new StatusReader(this.#reader, statement)
    this.alarms = new Alarms(sql, this.#reader, statement)
    this.users = new Users(sql, this.#reader, statement)
    this.roles = new Roles(sql, this.#reader, statement)
    this.#writes = new WriteQueue({
      sql,
      statement,
      environment,
      committed: (head, dueMs) => {
        leaseDue(dueMs)
        this.events.written(head.revision)
      },
      ...(batched && { batched }),
    })
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

  /** Where the store stands. */
  async head(): Promise<Head> {
    return headAt(await this.#reader.read(this.#head, []))
  }

  range(request: RangeRequest): Promise<RangeResult> {
    return this.#ranges.range(request)
  }

  async put(request: PutRequest, signal: AbortSignal) {
    return this.#write(
      {
        refusedBy: RefusedBy.NoSpaceOrCorrupt,
        operations: 1,
        bytes: request.key.length + request.value.length,
      },
      (program) => {
        const step = compilePut(program, request)
        return (steps) => putAnswer(stepResult(steps, step))
      },
      signal,
    )
  }

  async deleteRange(request: DeleteRangeRequest, signal: AbortSignal) {
    return this.#write(
      {
        refusedBy: RefusedBy.Corrupt,
        operations: request.rangeEnd.length === 0 ? 1 : RANGE_DELETE_OPERATIONS,
        bytes: request.key.length,
      },
      (program) => {
        const step = compileDeleteRange(program, request)
        return (steps) => deleteRangeAnswer(stepResult(steps, step))
      },
      signal,
    )
  }

  /** Runs a transaction that may write; its answer's revision is the one after it. */
  async txn(request: TxnRequest, bytes: number, signal: AbortSignal): Promise<TxnAnswer> {
    return this.#write(
      {
        refusedBy: mayPut(request) ? RefusedBy.NoSpaceOrCorrupt : RefusedBy.Corrupt,
        operations: request.compare.length + request.success.length + request.failure.length,
        bytes,
      },
      (program) => {
        const plan = compileTxn(program, request)
        const end = program.add(Instruction.Mark)
        return (steps, head) => ({
          head: { ...head, revision: stepResult(steps, end).revision },
          ...branchResponses(plan, steps),
        })
      },
      signal,
    )
  }

  /** Runs a transaction without write operations in either branch: a read, which waits for nobody. */
  async inspect(request: TxnRequest): Promise<TxnAnswer> {
    const program = new Program()
    let plan: ReturnType<typeof compileTxn> | undefined
    program.request(NO_AUTH, RefusedBy.None, () => {
      plan = compileTxn(program, request)
    })
    const rows = await this.#reader[isShort(request) ? 'read' : 'long'](
      this.#inspect,
      program.parameters(),
      INSPECT_HEAD_AT,
    )
    const steps = collectSteps(rows.slice(1))
    const failure = outcomeError(steps[1]?.outcome ?? 0)
    if (failure !== undefined) throw failure
    if (plan === undefined) throw new Error('the transaction was not compiled')
    return { head: headAt(rows, INSPECT_HEAD_AT), ...branchResponses(plan, steps) }
  }

  /** Ends a lease; gives the revision that its keys were deleted at, or the current one when it had none. */
  async revoke(lease: bigint, signal: AbortSignal): Promise<bigint> {
    return this.#write(
      { refusedBy: RefusedBy.Corrupt, operations: RANGE_DELETE_OPERATIONS, bytes: 0 },
      (program) => {
        const step = program.add(Instruction.Revoke, { number: lease })
        return (steps) => stepResult(steps, step).revision
      },
      signal,
    )
  }

  /** Moves the compact revision; the space is freed by `compaction.sweep`. Gives the current revision. */
  async compact(request: CompactionRequest, signal: AbortSignal): Promise<bigint> {
    return this.#write(
      { refusedBy: RefusedBy.Corrupt, operations: 1, bytes: 0 },
      (program) => {
        const step = program.add(Instruction.Compact, { number: request.revision })
        return (steps) => stepResult(steps, step).revision
      },
      signal,
    )
  }

  /**
   * Ends the leases that are due, by an ordinary write: each batch does that before its first request. One run at a
   * time, which all who ask share.
   */
  expireLeases(): Promise<void> {
    const anything = { refusedBy: RefusedBy.None, operations: 1, bytes: 0 }
    this.#expiring ??= this.#write(anything, () => () => undefined, NEVER).finally(() => {
      this.#expiring = undefined
    })
    return this.#expiring
  }

  /**
   * After a restore: moves the revision forward by `bump` and marks all before as compacted (invariant 11). Gives the new
   * revision.
   */
  async recover(bump: bigint): Promise<bigint> {
    try {
      const rows = await this.#sql.write(this.#recover, [bump])
      return rows[0]?.[0] as bigint
    } catch (error) {
      throw etcdFailure(error)
    }
  }

  /** Finishes the writes that were accepted, then closes the connections. */
  async close(): Promise<void> {
    this.#deadline.close()
    await this.#writes.stop()
    await this.#sql.close()
  }

  #write<T>(
    weight: Pick<WriteRequest<T>, 'refusedBy' | 'operations' | 'bytes'>,
    compile: WriteRequest<T>['compile'],
    signal: AbortSignal,
  ): Promise<T> {
    return this.#writes.write({ authRevision: NO_AUTH, ...weight, compile }, signal)
  }

  async #readIdentity(): Promise<Identity> {
    const [row] = await this.#sql.read(this.#head, []).catch((error: unknown) => {
      throw etcdFailure(error)
    })
    if (row === undefined) throw new Error('the store has no head row')
    const identity = { clusterId: row[4] as bigint, memberId: row[5] as bigint, raftTerm: row[6] as bigint }
    this.#memory.identity = identity
    return identity
  }
}
