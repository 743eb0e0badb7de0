import { EtcdError } from '../../etcd/errors.ts'
import {
  WatchCreateRequest_FilterType as FilterType,
  type ResponseHeader,
  type ResponseOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KeyValue } from '../../etcd/generated/mvccpb/kv_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { errorText } from '../../thrown.ts'
import type { Call } from '../call.ts'
import { revisionOf } from '../kv/client.ts'
import { Client, isCreatedAt } from './client.ts'
import type { Foundation } from './foundation.ts'

/** A contestant's key. */
export interface Entry {
  readonly key: Uint8Array
  /** The key's create revision, which is its place in the queue. */
  readonly revision: bigint
  /** Whether this call made the key. If not, an earlier one with the same lease did. */
  readonly isNew: boolean
  /** Whether nobody was before it when it entered. */
  readonly isFirst: boolean
  /** The key's value before this call; empty when it is new. */
  readonly value: Uint8Array
  /** Of the moment when it entered. */
  readonly header: ResponseHeader | undefined
}

const EMPTY = new Uint8Array(0)
const SLASH = 0x2f

/**
 * The queue behind a lock or an election, as etcd's clients form it: each contestant has a key under the name, bound to
 * its lease, and the one whose key was created first holds the lock, or leads. The others wait each for the one before
 * it, so that an ending wakes one of them and not all.
 */
export class Contest {
  readonly #foundation: Foundation
  readonly #call: Call
  readonly #client: Client
  readonly #prefix: Uint8Array

  constructor(foundation: Foundation, name: Uint8Array, call: Call) {
    this.#foundation = foundation
    this.#call = call
    this.#client = new Client(foundation, call)
    this.#prefix = prefixOf(name)
  }

  /** Joins the queue, or finds the place that the lease has in it already. One statement. */
  async enter(lease: bigint, value: Uint8Array): Promise<Entry> {
    const key = keyOf(this.#prefix, lease)
    const first = {
      request: { case: 'requestRange' as const, value: { ...firstOf(this.#prefix), keysOnly: true } },
    }
    const answer = await this.#client.txn({
      compare: [isCreatedAt(key, 0n)],
      success: [{ request: { case: 'requestPut', value: { key, value, lease } } }, first],
      failure: [{ request: { case: 'requestRange', value: { key } } }, first],
    })
    const [own, holder] = answer.responses.map(keyValueIn)
    const isNew = answer.succeeded
    const revision = isNew ? revisionOf(answer) : own?.createRevision
    if (revision === undefined) throw new Error('a key that exists was not found in the same transaction')
    const isFirst = holder?.createRevision === revision
    return { key, revision, isNew, isFirst, value: own?.value ?? EMPTY, header: answer.header }
  }

  /**
   * Does what an entry has to wait for, `wait`. If that fails, or the client has gone when it is done, the entry is
   * withdrawn, so that nobody waits for somebody who isn't there; but a place that an earlier call holds stays.
   */
  async keepPlace<T>(entry: Entry, wait: () => Promise<T>): Promise<T> {
    let result: T
    try {
      result = await wait()
    } catch (error) {
      await this.#withdraw(entry)
      throw error
    }
    if (this.#call.signal.aborted && entry.isNew) {
      await this.#withdraw(entry)
      throw EtcdError.of('Canceled')
    }
    return result
  }

  /** Resolves when nobody is before the entry; at once if it was the first. Whether it is still there isn't looked at. */
  async waitForTurn(entry: Entry): Promise<void> {
    if (entry.isFirst) return
    for (;;) {
      const answer = await this.#client.range({
        ...rangeOf(this.#prefix),
        maxCreateRevision: entry.revision - 1n,
        sortTarget: SortTarget.CREATE,
        sortOrder: SortOrder.DESCEND,
        limit: 1n,
        keysOnly: true,
      })
      const [previous] = answer.kvs
      if (previous === undefined) return
      await this.#deleted(previous.key, revisionOf(answer))
    }
  }

  /** Resolves when the key was deleted after the revision, and now and then without a reason. */
  async #deleted(key: Uint8Array, after: bigint): Promise<void> {
    const request = {
      key,
      rangeEnd: EMPTY,
      startRevision: after + 1n,
      prevKv: false,
      filters: [FilterType.NOPUT],
      waitMs: LIMITS.waitMaxSeconds * 1000,
    }
    await this.#foundation.longPoll(request, this.#call)
  }

  async #withdraw({ key, revision }: Entry): Promise<void> {
    try {
      await this.#client.outlivingTheCall().txn({
        compare: [isCreatedAt(key, revision)],
        success: [{ request: { case: 'requestDeleteRange', value: { key } } }],
      })
    } catch (error) {
      this.#foundation.log('warn', 'the key of a waiter that has gone stays until its lease ends', {
        error: errorText(error),
      })
    }
  }
}

/** The keys of a lock or an election begin so. */
export function prefixOf(name: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(name.length + 1)
  prefix.set(name)
  prefix[name.length] = SLASH
  return prefix
}

/** All keys with the prefix; it ends with a slash, so the end is a matter of its last byte. */
export function rangeOf(prefix: Uint8Array): { key: Uint8Array; rangeEnd: Uint8Array } {
  const rangeEnd = Uint8Array.from(prefix)
  rangeEnd[prefix.length - 1] = SLASH + 1
  return { key: prefix, rangeEnd }
}

/** The range of the one key with the prefix that was created first. */
export function firstOf(prefix: Uint8Array) {
  return { ...rangeOf(prefix), sortTarget: SortTarget.CREATE, sortOrder: SortOrder.ASCEND, limit: 1n }
}

/** Go's %x: a negative lease is a minus sign and the digits. */
function keyOf(prefix: Uint8Array, lease: bigint): Uint8Array {
  const digits = new TextEncoder().encode(lease.toString(16))
  const key = new Uint8Array(prefix.length + digits.length)
  key.set(prefix)
  key.set(digits, prefix.length)
  return key
}

function keyValueIn({ response }: ResponseOp): KeyValue | undefined {
  return response.case === 'responseRange' ? response.value.kvs[0] : undefined
}
