import type { Environment } from '../environment.ts'
import { EtcdError, type GrpcCode } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { NEVER } from '../never.ts'
import { errorText } from '../thrown.ts'
import { etcdFailure } from './failure.ts'
import { Program, type ProgramParameters } from './program/program.ts'
import type { StepResult } from './program/results.ts'
import type { Head } from './types.ts'
import type { WriteRequest, Writes } from './write-queue.ts'

/** One request on its way to a coordinator: compiled, so that it is nothing but data. */
export interface CompiledWrite
  extends Pick<WriteRequest<unknown>, 'rpc' | 'authVersion' | 'refusedBy' | 'operations' | 'bytes'> {
  readonly program: ProgramParameters
}

/** What its instructions left, by step as the program counted them; or etcd's error. */
export type CompiledWriteAnswer =
  | { readonly steps: readonly (StepResult | undefined)[]; readonly head: Head }
  | { readonly failed: { readonly code: GrpcCode; readonly message: string } }

/** Gathers the writes of many processes into batches. */
export interface WriteCoordinator {
  /** Fails as its transport does. Whether the write has happened isn't known then. */
  write(write: CompiledWrite): Promise<CompiledWriteAnswer>
}

export interface CoordinatedWritesOptions {
  readonly coordinator: WriteCoordinator
  readonly environment: Environment
  /** Called after each commit with the store as it left it. */
  committed(head: Head): void
}

/** The coordinator gives each write etcd's request timeout; beyond that, and this, it is taken for lost. */
const COORDINATOR_GRACE_MS = 2_000

/**
 * Writes that a coordinator runs, in batches with those of others. A write that the coordinator was lost under may or may
 * not have happened: that is its answer (invariant 10), and it is never sent again, by this way or another.
 */
export class CoordinatedWrites implements Writes {
  readonly #options: CoordinatedWritesOptions
  readonly #running = new Set<Promise<unknown>>()
  #stopped = false

  constructor(options: CoordinatedWritesOptions) {
    this.#options = options
  }

  async write<T>(request: WriteRequest<T>, signal: AbortSignal): Promise<T> {
    if (this.#stopped) throw EtcdError.of('Stopped')
    if (signal.aborted) throw EtcdError.of('Canceled')
    const { rpc, authVersion, refusedBy, operations, bytes } = request
    const program = new Program()
    const read = request.compile(program)
    const answer = await this.#send({
      rpc,
      authVersion,
      refusedBy,
      operations,
      bytes,
      program: program.parameters(),
    })
    if ('failed' in answer) throw new EtcdError(answer.failed.code, answer.failed.message)
    this.#options.committed(answer.head)
    return read(answer.steps, answer.head)
  }

  get pending(): number {
    return this.#running.size
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.allSettled(this.#running)
  }

  async #send(write: CompiledWrite): Promise<CompiledWriteAnswer> {
    const { coordinator, environment } = this.#options
    const answered = new AbortController()
    const tooLate = environment.clock
      .sleep(LIMITS.requestTimeoutMs + COORDINATOR_GRACE_MS, answered.signal)
      .then(() => Promise.reject(new Error('the coordinator gave no answer in time')))
    const running = Promise.race([coordinator.write(write), tooLate])
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      // It was never sent.
      if (error instanceof EtcdError) throw error
      environment.log('error', 'the coordinator was lost with a write in flight', {
        rpc: write.rpc,
        error: errorText(error),
      })
      throw EtcdError.of('TimeoutDueToConnectionLost', error)
    } finally {
      this.#running.delete(running)
      tooLate.catch(() => {})
      answered.abort()
    }
  }
}

/** The coordinator's part: runs a compiled write as a member of a batch. Never fails: a failure is an answer. */
export async function runCompiled(
  writes: Pick<Writes, 'write'>,
  write: CompiledWrite,
): Promise<CompiledWriteAnswer> {
  const request: WriteRequest<CompiledWriteAnswer> = {
    ...write,
    compile: (program) => {
      const before = program.nextStep
      program.append(write.program)
      const after = program.nextStep
      return (steps, head) => ({ steps: [undefined, ...steps.slice(before, after)], head })
    },
  }
  try {
    // Whoever asked may be gone; its write goes on.
    return await writes.write(request, NEVER)
  } catch (error) {
    const { code, message } = etcdFailure(error)
    return { failed: { code, message } }
  }
}
