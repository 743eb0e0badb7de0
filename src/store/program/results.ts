import type { MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError } from '../../etcd/errors.ts'
import type { ResponseOpSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { select } from '../select.ts'
import type { SqlRow } from '../sql.ts'
import { type Head, type KeyValue, keyValueAt } from '../types.ts'
import type { OperationPlan, TxnPlan } from './compile.ts'
import { Outcome } from './instruction.ts'

/** What one instruction left: the store's revision as seen there, a count, and keys. */
export interface StepResult {
  outcome: number
  revision: bigint
  total: bigint
  kvs: KeyValue[]
}

/** The rows of apply() and inspect(), by step. An index of the array is a step; 0 is the store itself. */
export function collectSteps(rows: readonly SqlRow[]): (StepResult | undefined)[] {
  const steps: (StepResult | undefined)[] = []
  for (const row of rows) {
    const step = row[0] as number
    let result = steps[step]
    if (result === undefined) {
      result = { outcome: 0, revision: 0n, total: 0n, kvs: [] }
      steps[step] = result
    }
    if (row[2] !== null) {
      // The instruction's own row; a put's carries the previous state beside it.
      result.outcome = row[1] as number
      result.revision = row[2] as bigint
      result.total = (row[3] as bigint | null) ?? 0n
    }
    if (row[4] !== null) result.kvs.push(keyValueAt(row, 4))
  }
  return steps
}

/** The store's own row, step 0: where the store stands. */
export function storeHead(row: SqlRow | undefined): Head {
  if (row?.[0] !== 0) throw new Error('the program gave no row for the store')
  return {
    revision: row[2] as bigint,
    compactRevision: row[5] as bigint,
    authVersion: row[6] as bigint,
  }
}

/** The error that a request's outcome means, if it is one. */
export function outcomeError(outcome: number): EtcdError | undefined {
  switch (outcome) {
    case Outcome.Done:
      return undefined
    case Outcome.KeyNotFound:
      return EtcdError.of('KeyNotFound')
    case Outcome.LeaseNotFound:
      return EtcdError.of('LeaseNotFound')
    case Outcome.Compacted:
      return EtcdError.of('Compacted')
    case Outcome.FutureRevision:
      return EtcdError.of('FutureRev')
    case Outcome.OldAuthVersion:
      return EtcdError.of('AuthOldRevision')
    case Outcome.NoSpace:
      return EtcdError.of('NoSpace')
    case Outcome.Corrupt:
      return EtcdError.of('Corrupt')
    case Outcome.PermissionDenied:
      return EtcdError.of('PermissionDenied')
    default:
      throw new Error(`apply() answered with the unknown outcome ${outcome}`)
  }
}

/** The result of a step that must have run. */
export function stepResult(steps: readonly (StepResult | undefined)[], step: number): StepResult {
  const result = steps[step]
  if (result === undefined) throw new Error(`the program's step ${step} left no row`)
  return result
}

/** What a PUT instruction gives beside the revision. */
export function putAnswer(result: StepResult): { revision: bigint; prevKv?: KeyValue } {
  const [prevKv] = result.kvs
  return { revision: result.revision, ...(prevKv && { prevKv }) }
}

/** What a DELETE instruction gives beside the revision. */
export function deleteRangeAnswer(result: StepResult): {
  revision: bigint
  deleted: bigint
  prevKvs: KeyValue[]
} {
  return { revision: result.revision, deleted: result.total, prevKvs: result.kvs }
}

/** An operation's answer; its header has only the revision as seen at that point, as in etcd. */
function operationResponse(
  plan: OperationPlan,
  steps: readonly (StepResult | undefined)[],
): MessageInitShape<typeof ResponseOpSchema> {
  switch (plan.kind) {
    case 'put': {
      const { revision, ...answer } = putAnswer(stepResult(steps, plan.step))
      return { response: { case: 'responsePut', value: { header: { revision }, ...answer } } }
    }
    case 'deleteRange': {
      const { revision, ...answer } = deleteRangeAnswer(stepResult(steps, plan.step))
      return { response: { case: 'responseDeleteRange', value: { header: { revision }, ...answer } } }
    }
    case 'range': {
      const { revision, total, kvs } = stepResult(steps, plan.step)
      const answer = { header: { revision }, count: total, ...select(plan.request, kvs) }
      return { response: { case: 'responseRange', value: answer } }
    }
    case 'txn':
      return {
        response: { case: 'responseTxn', value: { header: {}, ...branchResponses(plan.plan, steps) } },
      }
    default:
      return plan satisfies never
  }
}

/** Whether a transaction's compares held, and its operations' answers; without a header. */
export function branchResponses(
  plan: TxnPlan,
  steps: readonly (StepResult | undefined)[],
): { succeeded: boolean; responses: MessageInitShape<typeof ResponseOpSchema>[] } {
  const succeeded = steps[plan.thenStep] !== undefined
  const operations = succeeded ? plan.success : plan.failure
  return { succeeded, responses: operations.map((operation) => operationResponse(operation, steps)) }
}
