import type {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { Alarms } from './alarms.ts'
import { deleteAnswerKeys, txnAnswerKeys } from './answer-keys.ts'
import { Authentication } from './auth/authentication.ts'
import { changeUnder } from './auth/change.ts'
import { Roles } from './auth/roles.ts'
import { Users } from './auth/users.ts'
import { type Authority, SERVER } from './authority.ts'
import { Compaction } from './compaction.ts'
import type { Engine } from './engine.ts'
import { etcdFailure } from './failure.ts'
import { HistoryHash } from './history-hash.ts'
import { intervalOf } from './interval.ts'
import { Leases } from './leases.ts'
import {
  compileDeleteRange,
  compileLeaseKeyChecks,
  compilePut,
  compileTxn,
  leasesOf,
  mayPut,
} from './program/compile.ts'
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
import { type RangePart, RangeParts } from './range-parts.ts'
import { headAt, type Reader } from './reader.ts'
import { ScheduledRuns } from './scheduled-runs.ts'
import { Snapshots } from './snapshot.ts'
import { Space } from './space.ts'
import type { Statement } from './sql.ts'
import type { SqlEventLog } from './sql-event-log.ts'
import headSql from './statements/head.sql'
import inspectSql from './statements/inspect.sql'
import recoverSql from './statements/recover.sql'
import { StatusReader } from './status.ts'
import type { Head, Identity } from './types.ts'
import type { WriteRequest } from './write-queue.ts'

type TxnAnswer = { readonly head: Head } & ReturnType<typeof branchResponses>

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
 * The store: etcd's keys, leases and history over PostgreSQL, as one caller sees it. What is asked comes in as etcd's
 * messages that have passed their shape checks; each call is one SQL statement, with the exceptions that a method names.
 * All fail with an EtcdError.
 */
export class Store {
  readonly events: SqlEventLog
  readonly leases: Leases
  readonly compaction: Compaction
  readonly scheduledRuns: ScheduledRuns
  readonly history: HistoryHash
  readonly snapshots: Snapshots
  readonly status: StatusReader
  readonly alarms: Alarms
  readonly space: Space
  readonly authentication: Authentication
  readonly users: Users
  readonly roles: Roles

  readonly #engine: Engine
  readonly #authority: Authority
  readonly #reader: Reader
  readonly #ranges: RangeReader
  readonly #parts: RangeParts
  readonly #head: Statement
  readonly #inspect: Statement
  readonly #recover: Statement

  constructor(engine: Engine, authority: Authority = SERVER) {
    const { statement } = engine
    const reader = engine.reader.under(authority.authVersion)
    const change = changeUnder(engine.sql, authority.authVersion)
    this.#engine = engine
    this.#authority = authority
    this.#reader = reader
    this.#ranges = new RangeReader(reader, statement)
    this.#head = statement('head', headSql, [])
    this.#inspect = statement('inspect', inspectSql, PROGRAM_TYPES)
    this.#recover = statement('recover', recoverSql, ['int8'])
    this.events = engine.events
    this.leases = new Leases(reader, statement, engine, authority)
    this.compaction = new Compaction(engine.sql, statement)
    this.scheduledRuns = new ScheduledRuns(engine.sql, statement)
    this.history = new HistoryHash(reader, statement, () => this.head())
    this.#parts = new RangeParts(reader, statement)
    this.snapshots = new Snapshots(reader, statement, this.#parts)
    this.status = new StatusReader(reader, statement)
    this.alarms = new Alarms(reader, statement, authority)
    this.space = new Space(engine.sql, statement)
    this.authentication = new Authentication(change, reader, statement)
    this.users = new Users(change, reader, statement)
    this.roles = new Roles(change, reader, statement)
  }

  /** The same store, asked in the name of somebody else. */
  under(authority: Authority): Store {
    return new Store(this.#engine, authority)
  }

  /** Who the store is; asked once, then remembered. */
  identity(): Promise<Identity> {
    return this.#engine.identity()
  }

  /** Where the store stands. */
  async head(): Promise<Head> {
    return headAt(await this.#reader.read(this.#head, []))
  }

  range(request: RangeRequest): Promise<RangeResult> {
    return this.#ranges.range(request)
  }

  /** The first part of what a Range asks for, in ascending order of keys and without filters. */
  rangePart({ key, rangeEnd, revision, limit, keysOnly }: RangeRequest): Promise<RangePart> {
    return this.#parts.read(intervalOf(key, rangeEnd), {
      revision: revision > 0n ? revision : 0n,
      withValues: !keysOnly,
      ...(limit > 0n && { keysMax: limit }),
    })
  }

  async put(request: PutRequest, signal: AbortSignal) {
    return this.#write(
      {
        rpc: 'Put',
        refusedBy: RefusedBy.NoSpaceOrCorrupt,
        operations: 1,
        bytes: request.key.length + request.value.length,
      },
      (program) => {
        compileLeaseKeyChecks(program, [request.lease], this.#authority.unwritable)
        const step = compilePut(program, request)
        return (steps) => putAnswer(stepResult(steps, step))
      },
      signal,
    )
  }

  async deleteRange(request: DeleteRangeRequest, signal: AbortSignal) {
    return this.#write(
      {
        rpc: 'DeleteRange',
        refusedBy: RefusedBy.Corrupt,
        operations: request.rangeEnd.length === 0 ? 1 : RANGE_DELETE_OPERATIONS,
        bytes: request.key.length,
        answerKeys: deleteAnswerKeys(request),
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
    const { unwritable } = this.#authority
    return this.#write(
      {
        rpc: 'Txn',
        refusedBy: mayPut(request) ? RefusedBy.NoSpaceOrCorrupt : RefusedBy.Corrupt,
        operations: request.compare.length + request.success.length + request.failure.length,
        bytes,
        answerKeys: txnAnswerKeys(request),
      },
      (program) => {
        if (unwritable.length > 0) compileLeaseKeyChecks(program, leasesOf(request), unwritable)
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
    program.request(SERVER.authVersion, RefusedBy.None, () => {
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
      { rpc: 'LeaseRevoke', refusedBy: RefusedBy.Corrupt, operations: RANGE_DELETE_OPERATIONS, bytes: 0 },
      (program) => {
        compileLeaseKeyChecks(program, [lease], this.#authority.unwritable)
        const step = program.add(Instruction.Revoke, { number: lease })
        return (steps) => stepResult(steps, step).revision
      },
      signal,
    )
  }

  /** Moves the compact revision; the space is freed by `compaction.sweep`. Gives the current revision. */
  async compact(request: CompactionRequest, signal: AbortSignal): Promise<bigint> {
    return this.#write(
      { rpc: 'Compact', refusedBy: RefusedBy.Corrupt, operations: 1, bytes: 0 },
      (program) => {
        const step = program.add(Instruction.Compact, { number: request.revision })
        return (steps) => stepResult(steps, step).revision
      },
      signal,
    )
  }

  /** Ends the leases that are due. */
  expireLeases(): Promise<void> {
    return this.#engine.expireLeases()
  }

  /**
   * After a restore: moves the revision forward by `bump` and marks all before as compacted (invariant 11). Gives the new
   * revision.
   */
  async recover(bump: bigint): Promise<bigint> {
    try {
      const rows = await this.#engine.sql.write(this.#recover, [bump])
      return rows[0]?.[0] as bigint
    } catch (error) {
      throw etcdFailure(error)
    }
  }

  /** Finishes the writes that were accepted, then closes the connections. */
  close(): Promise<void> {
    return this.#engine.close()
  }

  #write<T>(
    weight: Pick<WriteRequest<T>, 'rpc' | 'refusedBy' | 'operations' | 'bytes' | 'answerKeys'>,
    compile: WriteRequest<T>['compile'],
    signal: AbortSignal,
  ): Promise<T> {
    return this.#engine.write({ authVersion: this.#authority.authVersion, ...weight, compile }, signal)
  }
}
