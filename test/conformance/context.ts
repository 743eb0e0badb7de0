import { randomBytes } from 'node:crypto'
import type { Endpoint, RawAnswer, StepStream } from './transport.ts'

/** What a scenario knows while it runs. */
export interface Context {
  readonly endpoint: Endpoint
  /** Begins each of the scenario's keys, so that scenarios don't meet. */
  readonly prefix: string
  /** Captured from answers, or chosen. */
  readonly variables: Map<string, string>
  readonly streams: Map<string, StepStream>
  readonly jobs: Map<string, Job>
  /** The counter of the loop that runs, if one does. */
  counter: number
  /** The store's revision before the scenario: the others are compared relative to it. */
  baseRevision: bigint
  /** Why the next answer is probably wrong. */
  problem: string | undefined
  /** Reads from streams that came to nothing: a server whose streams don't work should not take all day. */
  slowReads: number
}

/** A request that was started and is waited for later. */
export interface Job {
  answer: RawAnswer | undefined
  readonly done: Promise<void>
}

export function newContext(endpoint: Endpoint): Context {
  return {
    endpoint,
    prefix: `c${randomBytes(5).toString('hex')}/`,
    variables: new Map(),
    streams: new Map(),
    jobs: new Map(),
    counter: 0,
    baseRevision: 0n,
    problem: undefined,
    slowReads: 0,
  }
}
