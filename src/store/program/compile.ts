import {
  type Compare,
  Compare_CompareTarget,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KeyInterval } from '../authority.ts'
import { intervalOf } from '../interval.ts'
import { limitBeforeSort, needsValues } from '../select.ts'
import { DeleteFlag, Instruction, PutFlag, RangeFlag } from './instruction.ts'
import type { Program } from './program.ts'

/** Where an operation's result will be found: its step, and for a nested transaction its own plan. */
export type OperationPlan =
  | { readonly kind: 'put'; readonly step: number }
  | { readonly kind: 'deleteRange'; readonly step: number }
  | { readonly kind: 'range'; readonly step: number; readonly request: RangeRequest }
  | { readonly kind: 'txn'; readonly plan: TxnPlan }

/** Where a transaction's result will be found. */
export interface TxnPlan {
  /** The TAKE of the then branch; the compares held when it left a row. */
  readonly thenStep: number
  readonly success: readonly OperationPlan[]
  readonly failure: readonly OperationPlan[]
}

/** A transaction with the id and TAKE of its branches, while it is compiled. */
interface Node {
  readonly txn: TxnRequest
  readonly id: bigint
  readonly thenStep: number
  /** The nested transactions of each branch, in order. */
  readonly success: readonly Node[]
  readonly failure: readonly Node[]
}

/** The nested transactions among a branch's operations. */
function nestedOf(ops: TxnRequest['success']): TxnRequest[] {
  return ops.flatMap((op) => (op.request.case === 'requestTxn' ? [op.request.value] : []))
}

/** The operand that belongs to the compare's target; another member of the oneof counts as 0 or empty, as in etcd. */
function operandOf(compare: Compare): { number: bigint; operand: Uint8Array } {
  const { targetUnion: union } = compare
  const none = { number: 0n, operand: new Uint8Array(0) }
  switch (compare.target) {
    case Compare_CompareTarget.VERSION:
      return union.case === 'version' ? { ...none, number: union.value } : none
    case Compare_CompareTarget.CREATE:
      return union.case === 'createRevision' ? { ...none, number: union.value } : none
    case Compare_CompareTarget.MOD:
      return union.case === 'modRevision' ? { ...none, number: union.value } : none
    case Compare_CompareTarget.LEASE:
      return union.case === 'lease' ? { ...none, number: union.value } : none
    case Compare_CompareTarget.VALUE:
      return union.case === 'value' ? { ...none, operand: union.value } : none
    default:
      // An enum number of a later version: etcd compares it as equal.
      return none
  }
}

/** A number from 0 to 15 of an open enum; all numbers that etcd doesn't know behave alike. */
function known(number: number): number {
  return number >= 0 && number <= 4 ? number : 15
}

function compileCompares(program: Program, txn: TxnRequest, nextId: () => bigint): Node {
  const id = nextId()
  const misses = txn.compare.map((compare) =>
    program.addJump(Instruction.Compare, {
      ...operandOf(compare),
      number2: BigInt(known(compare.target) * 16 + known(compare.result)),
      interval: intervalOf(compare.key, compare.rangeEnd),
    }),
  )
  const thenStep = program.addJump(Instruction.Take, { number: id, number2: 1n })
  program.land(thenStep)
  const success = nestedOf(txn.success).map((nested) => compileCompares(program, nested, nextId))
  // Without compares the else branch is never taken, and its nested transactions are never asked.
  if (misses.length === 0) return { txn, id, thenStep, success, failure: [] }
  const done = program.addJump(Instruction.Jump)
  program.land(...misses)
  program.land(program.addJump(Instruction.Take, { number: id, number2: 0n }))
  const failure = nestedOf(txn.failure).map((nested) => compileCompares(program, nested, nextId))
  program.land(done)
  return { txn, id, thenStep, success, failure }
}

/** Compiles both branches of a node, each guarded; `branch` compiles the operations of one. */
function compileBranches<T>(
  program: Program,
  node: Node,
  branch: (ops: TxnRequest['success'], nested: readonly Node[]) => T,
): { success: T; failure: T | undefined } {
  const elseJump = program.addJump(Instruction.Branch, { number: node.id })
  const success = branch(node.txn.success, node.success)
  if (node.txn.compare.length === 0) {
    program.land(elseJump)
    return { success, failure: undefined }
  }
  const done = program.addJump(Instruction.Jump)
  program.land(elseJump)
  const failure = branch(node.txn.failure, node.failure)
  program.land(done)
  return { success, failure }
}

function needsChecks(txn: TxnRequest): boolean {
  const branchNeeds = (ops: TxnRequest['success']): boolean =>
    ops.some(({ request }) => {
      switch (request.case) {
        case 'requestPut':
          return request.value.lease !== 0n || request.value.ignoreLease || request.value.ignoreValue
        case 'requestRange':
          return request.value.revision !== 0n
        case 'requestTxn':
          return needsChecks(request.value)
        case 'requestDeleteRange':
          return intervalOf(request.value.key, request.value.rangeEnd).to?.length === 0
        case undefined:
          return false
        default:
          return request satisfies never
      }
    })
  return branchNeeds(txn.success) || branchNeeds(txn.failure)
}

function compileChecks(program: Program, node: Node): void {
  if (!needsChecks(node.txn)) return
  compileBranches(program, node, (ops, nested) => {
    let next = 0
    for (const { request } of ops) {
      switch (request.case) {
        case 'requestPut':
          checkKey(program, request.value)
          checkLease(program, request.value)
          break
        case 'requestRange':
          if (request.value.revision !== 0n) {
            program.add(Instruction.CheckRevision, { number: request.value.revision })
          }
          break
        case 'requestDeleteRange': {
          const interval = intervalOf(request.value.key, request.value.rangeEnd)
          if (interval.to?.length === 0) program.add(Instruction.CheckGone, { key: interval.from })
          break
        }
        case 'requestTxn': {
          const child = nested[next++]
          if (child !== undefined) compileChecks(program, child)
          break
        }
        case undefined:
          break
        default:
          request satisfies never
      }
    }
  })
}

function checkKey(program: Program, put: PutRequest): void {
  if (put.ignoreValue || put.ignoreLease) program.add(Instruction.CheckKey, { key: put.key })
}

function checkLease(program: Program, put: PutRequest): void {
  if (put.lease !== 0n) program.add(Instruction.CheckLease, { number: put.lease })
}

function addPut(program: Program, put: PutRequest): number {
  return program.add(Instruction.Put, {
    flag:
      (put.prevKv ? PutFlag.PrevKv : 0) |
      (put.ignoreValue ? PutFlag.IgnoreValue : 0) |
      (put.ignoreLease ? PutFlag.IgnoreLease : 0),
    number: put.lease,
    key: put.key,
    operand: put.value,
  })
}

function addDelete(program: Program, request: DeleteRangeRequest): number {
  return program.add(Instruction.Delete, {
    flag: request.prevKv ? DeleteFlag.PrevKv : 0,
    interval: intervalOf(request.key, request.rangeEnd),
  })
}

function addRange(program: Program, request: RangeRequest): number {
  return program.add(Instruction.Range, {
    flag: (needsValues(request) ? 0 : RangeFlag.KeysOnly) | (request.countOnly ? RangeFlag.CountOnly : 0),
    // A negative revision is the present, as 0 is.
    number: request.revision > 0n ? request.revision : 0n,
    number2: limitBeforeSort(request) ?? 0n,
    interval: intervalOf(request.key, request.rangeEnd),
  })
}

function compileOperations(program: Program, node: Node): TxnPlan {
  const { success, failure } = compileBranches(program, node, (ops, nested) => {
    let next = 0
    return ops.flatMap(({ request }): OperationPlan[] => {
      switch (request.case) {
        case 'requestPut':
          return [{ kind: 'put', step: addPut(program, request.value) }]
        case 'requestDeleteRange':
          return [{ kind: 'deleteRange', step: addDelete(program, request.value) }]
        case 'requestRange':
          return [{ kind: 'range', step: addRange(program, request.value), request: request.value }]
        case 'requestTxn': {
          const child = nested[next++]
          return child === undefined ? [] : [{ kind: 'txn', plan: compileOperations(program, child) }]
        }
        case undefined:
          return []
        default:
          return request satisfies never
      }
    })
  })
  return { thenStep: node.thenStep, success, failure: failure ?? [] }
}

/**
 * Compiles a transaction: all compares of its tree first, then the checks of the branches taken, then their operations
 * (etcd's order, see apply.sql). The request must have passed etcd's shape checks.
 */
export function compileTxn(program: Program, txn: TxnRequest): TxnPlan {
  let lastId = 0n
  const node = compileCompares(program, txn, () => ++lastId)
  compileChecks(program, node)
  return compileOperations(program, node)
}

/** The leases that a transaction's puts name, in whichever branch. */
export function leasesOf(txn: TxnRequest): bigint[] {
  return [...txn.success, ...txn.failure].flatMap(({ request }) => {
    if (request.case === 'requestPut') return [request.value.lease]
    return request.case === 'requestTxn' ? leasesOf(request.value) : []
  })
}

/**
 * Refuses the request when one of the leases holds a key in one of the intervals, which the caller may not write. As in
 * etcd, whoever can't revoke a lease can't attach keys to it either.
 */
export function compileLeaseKeyChecks(
  program: Program,
  leases: readonly bigint[],
  unwritable: readonly KeyInterval[],
): void {
  const named = new Set(leases)
  named.delete(0n)
  if (named.size === 0 || unwritable.length === 0) return
  const first = program.nextStep
  for (const interval of unwritable) program.add(Instruction.Interval, { interval })
  const number2 = BigInt(unwritable.length)
  for (const number of named) program.add(Instruction.CheckLeaseKeys, { flag: first, number, number2 })
}

/** Whether a transaction might put a key, in whichever branch. */
export function mayPut(txn: TxnRequest): boolean {
  return [...txn.success, ...txn.failure].some(
    ({ request }) =>
      request.case === 'requestPut' || (request.case === 'requestTxn' && mayPut(request.value)),
  )
}

/** Compiles a Put. Alone, unlike in a transaction, etcd looks at the lease before the key. Gives the put's step. */
export function compilePut(program: Program, put: PutRequest): number {
  checkLease(program, put)
  checkKey(program, put)
  return addPut(program, put)
}

/** Compiles a DeleteRange and gives its step. */
export function compileDeleteRange(program: Program, request: DeleteRangeRequest): number {
  return addDelete(program, request)
}
