import type { Environment } from '../environment.ts'
import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { errorText } from '../thrown.ts'
import { etcdFailure, isNobodysFault, isRetriable } from './failure.ts'
import type { RefusedBy } from './program/instruction.ts'
import { PROGRAM_TYPES, Program } from './program/program.ts'
import { collectSteps, outcomeError, type StepResult, storeHead } from './program/results.ts'
import { retried } from './retried.ts'
import { type Sql, SqlError, type SqlParameter, type SqlRow, type Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import applySql from './statements/apply.sql'
import type { Head } from './types.ts'

/** One request of a batch, before it is compiled into the batch's program. */
export interface WriteRequest<T> {
  /** The RPC that it comes from, for the log. */
  readonly rpc: string
  /** The version of the rights that the caller was authorized under; below 0: whichever it is. */
  readonly authVersion: bigint
  readonly refusedBy: RefusedBy
  /** Roughly what it adds to a batch: its instructions, and the bytes of its keys and values. */
  readonly operations: number
  readonly bytes: number
  /** How many keys' values its answer may have in it; none unless it is said. */
  readonly answerKeys?: number
  /** Appends the request's instructions, and gives back how its answer is read from the steps they left. */
  compile(program: Program): (steps: readonly (StepResult | undefined)[], head: Head) => T
}

/** Where an engine's writes go: into batches of its own, or to whoever gathers those of many. */
export interface Writes {
  /** Runs one request as a member of a batch. Fails with an EtcdError. */
  write<T>(request: WriteRequest<T>, signal: AbortSignal): Promise<T>
  /** Requests that wait for the next batch. */
  readonly pending: number
  /** Finishes what was accepted and refuses what comes after. */
  stop(): Promise<void>
}

interface Waiting {
  readonly request: WriteRequest<unknown>
  readonly since: number
  readonly signal: AbortSignal
  resolve(answer: unknown): void
  reject(error: EtcdError): void
}

export interface WriteQueueOptions {
  readonly sql: Sql
  readonly statement: StatementFactory
  readonly environment: Environment
  /** Called after each commit with the store as it left it, and ms to the next lease deadline (null: no lease). */
  committed(head: Head, leaseDueMs: bigint | null): void
  /** How many bytes of requests may wait; LIMITS.batchQueueBytesMax unless it is said. */
  readonly queueBytesMax?: number | undefined
  /** Called for each batch when its statement has been answered. */
  batched?(batch: Batch): void
}

/** A batch that has been run, or has failed. */
export interface Batch {
  readonly requests: readonly Pick<WriteRequest<unknown>, 'rpc' | 'bytes'>[]
  /** How long the statement took, its commit included, in milliseconds. */
  readonly tookMs: number
}

/**
 * Writes travel in batches (invariant 4): what arrives while one statement is under way goes out with the next. Where a
 * process serves one request only, each batch has one member and the code is the same.
 */
export class WriteQueue implements Writes {
  readonly #options: WriteQueueOptions
  readonly #apply: Statement
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #running: Promise<void> | undefined
  #stopped = false

  constructor(options: WriteQueueOptions) {
    this.#options = options
    this.#apply = options.statement('apply', applySql, [...PROGRAM_TYPES, 'int4'])
  }

  /**
   * Runs one request and gives its answer once it is committed. Fails with an EtcdError: the request's own, or one that
   * says whether it may have happened. A caller that goes away before its batch is sent withdraws the request.
   */
  write<T>(request: WriteRequest<T>, signal: AbortSignal): Promise<T> {
    if (this.#stopped) return Promise.reject(EtcdError.of('Stopped'))
    const { queueBytesMax = LIMITS.batchQueueBytesMax } = this.#options
    const bytes = this.#waitingBytes + request.bytes
    if (this.#waiting.length >= LIMITS.batchQueueMax || bytes > queueBytesMax)
      return Promise.reject(EtcdError.of('TooManyRequests'))
    this.#waitingBytes = bytes
    return new Promise<T>((resolve, reject) => {
      const since = this.#options.environment.clock.now()
      this.#waiting.push({ request, since, signal, resolve: resolve as (answer: unknown) => void, reject })
      this.#running ??= this.#run()
    })
  }

  /** Requests that wait for the next batch. */
  get pending(): number {
    return this.#waiting.length
  }

  /** Finishes what was accepted and refuses what comes after. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    // Lets the requests that arrived in this turn of the event loop share the first batch.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch()
      await this.#send(batch).catch((error: unknown) => {
        // Nothing above is expected to throw; whoever was answered already isn't touched by this.
        for (const waiting of batch) waiting.reject(etcdFailure(error))
      })
    }
    this.#running = undefined
  }

  /** Takes the next members, in order of arrival, up to the limits; drops those nobody waits for any more. */
  #nextBatch(): Waiting[] {
    const batch: Waiting[] = []
    let operations = 0
    let bytes = 0
    while (batch.length < LIMITS.batchRequestsMax) {
      const next = this.#waiting[0]
      if (next === undefined) break
      operations += next.request.operations
      bytes += next.request.bytes
      const full = operations > LIMITS.batchOperationsMax || bytes > LIMITS.batchBytesMax
      if (full && batch.length > 0) break
      this.#waiting.shift()
      this.#waitingBytes -= next.request.bytes
      if (this.#isWanted(next)) batch.push(next)
    }
    return batch
  }

  /** Whether somebody still waits for it, and not too long already; if not, that is its answer. */
  #isWanted({ signal, since, reject }: Waiting): boolean {
    const late = this.#options.environment.clock.now() - since > LIMITS.requestTimeoutMs
    if (signal.aborted) reject(EtcdError.of('Canceled'))
    else if (late) reject(EtcdError.of('Timeout'))
    return !signal.aborted && !late
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return
    const program = new Program()
    const readers: ReturnType<WriteRequest<unknown>['compile']>[] = []
    const requestSteps: number[] = []
    for (const { request } of batch) {
      requestSteps.push(program.nextStep)
      program.request(request.authVersion, request.refusedBy, () => {
        readers.push(request.compile(program))
      })
    }
    let rows: SqlRow[]
    try {
      rows = await this.#applyWithRetries(program, batch)
    } catch (error) {
      await this.#failed(batch, error)
      return
    }
    const steps = collectSteps(rows)
    const head = storeHead(rows.at(-1))
    this.#options.committed(head, (rows.at(-1)?.[3] as bigint | null) ?? null)
    for (const [i, waiting] of batch.entries()) {
      this.#answer(waiting, () => {
        const failure = outcomeError(steps[requestSteps[i] ?? 0]?.outcome ?? 0)
        if (failure !== undefined) throw failure
        return readers[i]?.(steps, head)
      })
    }
  }

  #applyWithRetries(program: Program, batch: readonly Waiting[]): Promise<SqlRow[]> {
    const parameters = [...program.parameters(), LIMITS.leaseExpiriesPerPass]
    return retried(() => this.#applyOnce(parameters, batch), this.#options.environment, batch[0]?.since)
  }

  async #applyOnce(parameters: readonly SqlParameter[], batch: readonly Waiting[]): Promise<SqlRow[]> {
    const { sql, batched } = this.#options
    const startMs = performance.now()
    try {
      return await sql.write(this.#apply, parameters)
    } finally {
      batched?.({ requests: batch.map(({ request }) => request), tookMs: performance.now() - startMs })
    }
  }

  /**
   * An unexpected error of the database rolled the whole batch back: its members run again one by one, so that only the
   * culprit fails. Everything else is every member's own.
   */
  async #failed(batch: readonly Waiting[], error: unknown): Promise<void> {
    const rolledBack = error instanceof SqlError && error.kind === 'failed' && !isRetriable(error)
    if (rolledBack && batch.length > 1 && !isNobodysFault(error)) {
      for (const waiting of batch) if (this.#isWanted(waiting)) await this.#send([waiting])
      return
    }
    const failure = etcdFailure(error)
    // What failed in the database is logged where statements are sent.
    if (!(error instanceof SqlError)) {
      this.#options.environment.log('error', 'a batch of writes failed', {
        requests: batch.length,
        answer: failure.message,
        error: errorText(error),
      })
    }
    for (const waiting of batch) waiting.reject(failure)
  }

  #answer(waiting: Waiting, read: () => unknown): void {
    try {
      waiting.resolve(read())
    } catch (error) {
      waiting.reject(etcdFailure(error))
    }
  }
}
