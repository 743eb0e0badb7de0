import type { MessageInitShape } from '@bufbuild/protobuf'
import { bytesToString } from '../../../byte-string.ts'
import { EtcdError } from '../../../etcd/errors.ts'
import {
  type RangeRequest,
  type RequestOp,
  type ResponseOpSchema,
  RangeRequest_SortOrder as SortOrder,
  type TxnRequest,
} from '../../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { KeyValue } from '../../../store/types.ts'
import type { Call } from '../../call.ts'
import { createWatch } from '../../watch/index.ts'
import { ManualClock, testEnvironment } from '../../watch/testing/environment.ts'
import { inRange, MemoryLog, type Operation } from '../../watch/testing/memory-log.ts'
import type { Foundation } from '../foundation.ts'
import { RunningCalls } from '../running-calls.ts'

const identity = { clusterId: 7n, memberId: 8n, raftTerm: 2n }

/**
 * What locks and elections are built on, over a store in memory: the watch service itself, and as much of the others as
 * they ask for. A lease is a number; what it ends, the test deletes.
 */
export class MemoryServices implements Foundation {
  readonly store = new MemoryLog()
  readonly clock = new ManualClock()
  readonly environment = testEnvironment(this.clock)
  readonly log = this.environment.log
  readonly calls = new RunningCalls()
  readonly service = createWatch({
    events: this.store,
    access: this.store.access,
    identity: () => Promise.resolve(identity),
    environment: this.environment,
    sharedTail: true,
    pollIntervalMs: { min: 20, max: 100 },
  })
  readonly watch = this.service.watch
  readonly longPoll = this.service.longPoll
  /** The time to live of each lease that was granted. */
  readonly granted: bigint[] = []
  /** The calls of the KV service that may have changed something. */
  readonly writes: Call[] = []
  /** Fails every call of the KV service while it is set. */
  failure: EtcdError | undefined
  /** What a call of the KV service waits for before it happens and after. */
  latency: (when: 'before' | 'after') => Promise<void> = () => Promise.resolve()

  readonly kv: Foundation['kv'] = {
    range: (request) => this.atomically(() => ({ header: this.header(), ...this.range(request) })),
    put: ({ key, value }) =>
      this.atomically(() => {
        this.store.write([{ put: bytesToString(key), value }])
        return { header: this.header() }
      }),
    deleteRange: ({ key }) =>
      this.atomically(() => {
        if (key.length === 0) throw EtcdError.of('EmptyKey')
        this.store.delete(bytesToString(key))
        return { header: this.header() }
      }),
    txn: (request, call) =>
      this.atomically(() => {
        if (call.signal.aborted) throw EtcdError.of('Canceled')
        this.writes.push(call)
        return this.txn(request)
      }),
  }
  readonly lease: Foundation['lease'] = {
    leaseGrant: async ({ TTL }: { TTL: bigint }, _call: Call) => {
      this.granted.push(TTL)
      return { ID: BigInt(0x100 + this.granted.length), TTL }
    },
  }

  /** The keys there are, in their order. */
  get keys(): string[] {
    return [...this.present().keys()].sort()
  }

  private async atomically<T>(step: () => T): Promise<T> {
    await this.latency('before')
    if (this.failure !== undefined) throw this.failure
    const answer = step()
    await this.latency('after')
    return answer
  }

  private header() {
    return { ...identity, revision: this.store.revision }
  }

  private present(): Map<string, KeyValue> {
    const present = new Map<string, KeyValue>()
    for (const { type, kv } of this.store.truth) {
      const name = bytesToString(kv.key)
      if (type === 'PUT') present.set(name, kv)
      else present.delete(name)
    }
    return present
  }

  private range(request: RangeRequest): { kvs: KeyValue[]; count: bigint } {
    const found = [...this.present().values()].filter(
      ({ key, createRevision }) =>
        inRange(key, request) &&
        (request.maxCreateRevision === 0n || createRevision <= request.maxCreateRevision),
    )
    const direction = request.sortOrder === SortOrder.DESCEND ? -1 : 1
    found.sort((a, b) => direction * Number(a.createRevision - b.createRevision))
    const kvs = request.limit > 0n ? found.slice(0, Number(request.limit)) : found
    return { kvs, count: BigInt(found.length) }
  }

  private txn({ compare, success, failure }: TxnRequest) {
    const present = this.present()
    const succeeded = compare.every(
      ({ key, targetUnion }) =>
        targetUnion.case === 'createRevision' &&
        (present.get(bytesToString(key))?.createRevision ?? 0n) === targetUnion.value,
    )
    const branch = succeeded ? success : failure
    this.store.write(branch.flatMap(operationsOf))
    return { header: this.header(), succeeded, responses: branch.map((op) => this.responseTo(op)) }
  }

  private responseTo({ request }: RequestOp): MessageInitShape<typeof ResponseOpSchema> {
    if (request.case !== 'requestRange') return {}
    return { response: { case: 'responseRange', value: this.range(request.value) } }
  }
}

function operationsOf({ request }: RequestOp): Operation[] {
  switch (request.case) {
    case 'requestPut':
      return [{ put: bytesToString(request.value.key), value: request.value.value }]
    case 'requestDeleteRange':
      return [{ delete: bytesToString(request.value.key) }]
    default:
      return []
  }
}
