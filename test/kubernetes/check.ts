import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Child } from '../support/process.ts'
import type { Api } from './api.ts'
import type { Programs } from './binaries.ts'
import type { Store } from './store.ts'

/** Everything that runs while the checks do. */
export interface Cluster {
  readonly store: Store
  readonly api: Api
  /** Another apiserver on the same store, which has no cache: its lists and watches are the store's own. */
  readonly uncached: Api
  /** A third one, on another edgetcd that serves the same store. */
  readonly elsewhere: Api
  readonly kubeconfig: string
  readonly programs: Programs
  /** The scheduler that was started with the cluster. */
  readonly scheduler: Child
}

export interface Check {
  readonly name: string
  /** Rejects when it doesn't hold; gives what there is to tell besides. */
  run(cluster: Cluster): Promise<string | undefined>
}

const WAIT_MS = 60_000
const PROBE_EVERY_MS = 200
const run = promisify(execFile)

/** Asks until the answer is something other than undefined or false; an error counts as no answer until time is up. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  timeoutMs = WAIT_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  let cause: unknown
  while (Date.now() < deadline) {
    try {
      const found = await probe()
      if (found !== undefined && found !== false) return found
      cause = undefined
    } catch (error) {
      cause = error
    }
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS))
  }
  throw new Error(`not within ${timeoutMs / 1000} s: ${what}`, { cause })
}

/** Fails with `message` unless `condition` holds. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message)
}

/** What `promise` rejects with; fails when it doesn't. */
export async function rejection(what: string, promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error(`should have been refused: ${what}`)
}

/** Runs kubectl to its end, and gives what it printed. */
export async function kubectl(cluster: Cluster, ...args: string[]): Promise<string> {
  const { stdout } = await run(cluster.programs.kubectl, [`--kubeconfig=${cluster.kubeconfig}`, ...args])
  return stdout
}

/** The value in the middle, with as many above as below. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
