import type { Log } from '../environment.ts'
import { rpcOf } from '../store/rpc-of.ts'
import type { Statement } from '../store/sql.ts'
import type { Batch } from '../store/write-queue.ts'
import type { Counter } from './metrics.ts'

/** What a batch of writes is called, which tells of its requests itself. */
const BATCH_STATEMENT = 'apply'

/**
 * Logs the statements that take `thresholdMs` or longer (0: none), as etcd warns of requests that are slow to apply: with
 * the RPCs that they were run for, and never with a key, a value or a token.
 */
export class SlowStatements {
  readonly #thresholdMs: number
  readonly #log: Log
  readonly #counter: Counter

  constructor(thresholdMs: number, log: Log, counter: Counter) {
    this.#thresholdMs = thresholdMs === 0 ? Number.POSITIVE_INFINITY : thresholdMs
    this.#log = log
    this.#counter = counter
  }

  /** Told of each statement and the milliseconds that it took. */
  statement({ name }: Statement, tookMs: number): void {
    if (tookMs < this.#thresholdMs || name === BATCH_STATEMENT) return
    this.#warn(name, { [rpcOf(name)]: 1 }, tookMs)
  }

  /** Told of each batch of writes. */
  batch({ requests, tookMs }: Batch): void {
    if (tookMs < this.#thresholdMs) return
    const rpcs: Record<string, number> = {}
    for (const { rpc } of requests) rpcs[rpc] = (rpcs[rpc] ?? 0) + 1
    this.#warn(BATCH_STATEMENT, rpcs, tookMs)
  }

  #warn(statement: string, rpcs: Readonly<Record<string, number>>, tookMs: number): void {
    this.#counter.add(1)
    this.#log('warn', 'a statement took too long', {
      took: `${tookMs.toFixed(1)}ms`,
      'expected-duration': `${this.#thresholdMs}ms`,
      statement,
      rpcs,
    })
  }
}
