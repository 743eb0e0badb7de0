import { create } from '@bufbuild/protobuf'
import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { CompactionRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Counter } from '../../observe/metrics.ts'
import type { Store } from '../../store/store.ts'
import { errorText } from '../../thrown.ts'

/** etcd's two retention modes: everything younger than a period is kept, or the newest so many revisions. */
export type Retention =
  | { readonly mode: 'periodic'; readonly seconds: number }
  | { readonly mode: 'revision'; readonly revisions: bigint }

/** etcd looks every five minutes by revision, and at least hourly by period, noting ten revisions a period. */
const REVISION_INTERVAL_MS = 300_000
const PERIODIC_INTERVAL_MS_MAX = 3_600_000
const NOTES_A_PERIOD = 10

/** What one run of a server's compactor did. */
export interface CompactionRun {
  /** The revision that the store was compacted to; undefined when there was nothing to do. */
  readonly compactedTo: bigint | undefined
  /** Batches of dead rows that were removed. */
  readonly batches: number
}

/**
 * Compacts once (invariants 8 and 9): ends the leases that are due, notes the current revision, moves
 * the compact revision as the retention says, and a moment later removes what became unreachable: a watch that is a
 * little behind still finds it. Runs may overlap or be cut off.
 * @throws EtcdError that the database is away; the next run goes on from there
 */
export async function compactOnce(
  store: Store,
  retention: Retention | undefined,
  { clock }: Environment,
  signal: AbortSignal,
): Promise<CompactionRun> {
  const compactedTo = await compactAsRetained(store, retention, signal)
  if (compactedTo !== undefined) await clock.sleep(LIMITS.sweepDelayMs, signal)
  if (signal.aborted) return { compactedTo, batches: 0 }
  return { compactedTo, batches: await store.compaction.sweep(signal) }
}

/**
 * Notes the current revision, and moves the compact revision as the retention says. Gives the revision that the store was
 * compacted to by this; undefined when there was nothing to do.
 * @throws EtcdError
 */
export async function compactAsRetained(
  store: Store,
  retention: Retention | undefined,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  // Reading the head ends the leases that are due.
  const head = await store.head()
  const goal = retention && (await goalOf(store, retention, head.revision))
  if (goal === undefined || goal <= head.compactRevision || goal <= 0n) return undefined
  return await compactTo(store, goal, signal)
}

async function goalOf(store: Store, retention: Retention, revision: bigint): Promise<bigint | undefined> {
  switch (retention.mode) {
    case 'periodic':
      return store.compaction.noteRevision(BigInt(retention.seconds))
    case 'revision':
      return revision - retention.revisions
    default:
      return retention satisfies never
  }
}

async function compactTo(store: Store, revision: bigint, signal: AbortSignal): Promise<bigint | undefined> {
  try {
    await store.compact(create(CompactionRequestSchema, { revision }), signal)
    return revision
  } catch (error) {
    // Another server was quicker.
    if (error instanceof EtcdError && error.is('Compacted')) return undefined
    throw error
  }
}

/** How often a Node server compacts, in milliseconds. */
export function intervalMsOf(retention: Retention): number {
  if (retention.mode === 'revision') return REVISION_INTERVAL_MS
  return Math.max(1_000, Math.min(retention.seconds * 1_000, PERIODIC_INTERVAL_MS_MAX) / NOTES_A_PERIOD)
}

/** Compacts by a timer until `signal` aborts. A run that fails is logged and counted; the next one makes up for it. */
export async function runCompactor(
  store: Store,
  retention: Retention,
  environment: Environment,
  failures: Counter,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = environment
  while (!signal.aborted) {
    try {
      const { compactedTo } = await compactOnce(store, retention, environment, signal)
      if (compactedTo !== undefined) log('info', 'compacted', { revision: String(compactedTo) })
    } catch (error) {
      failures.add(1)
      log('error', 'a compaction run failed', { error: errorText(error) })
    }
    await clock.sleep(intervalMsOf(retention), signal)
  }
}
