import type { DescService, MessageInitShape } from '@bufbuild/protobuf'
import type {
  AlarmMemberSchema,
  Auth,
  Cluster,
  KV,
  Lease,
  Maintenance,
  RangeRequest,
  RangeResponseSchema,
  Watch,
  WatchCreateRequest_FilterType,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { EventSchema } from '../etcd/generated/mvccpb/kv_pb.ts'
import type { Election } from '../etcd/generated/v3electionpb/election_pb.ts'
import type { Lock } from '../etcd/generated/v3lockpb/lock_pb.ts'
import type { Call, Streaming, Unary } from './call.ts'

/** What a generated service descriptor asks of whoever implements it: one function an RPC. */
export type Implementation<S extends DescService> = {
  readonly [M in keyof S['method']]: S['method'][M] extends { methodKind: 'unary' }
    ? Unary<S['method'][M]['input'], S['method'][M]['output']>
    : Streaming<S['method'][M]['input'], S['method'][M]['output']>
}

/** Everything that a transport may ask for. */
export interface Services {
  readonly kv: KvService
  readonly lease: Implementation<typeof Lease>
  readonly watch: Implementation<typeof Watch>
  readonly cluster: Implementation<typeof Cluster>
  readonly maintenance: Implementation<typeof Maintenance>
  readonly auth: Implementation<typeof Auth>
  readonly lock: Implementation<typeof Lock>
  readonly election: Implementation<typeof Election>
  readonly longPoll: LongPoll
  readonly health: Health
}

/** The KV service, and a range in chunks as its RangeStream sends it, for other transports. */
export interface KvService extends Implementation<typeof KV> {
  readonly rangeInChunks: RangeInChunks
}

/** Answers a Range in chunks, which together are its answer; each is read when the last was taken. */
export type RangeInChunks = (
  request: RangeRequest,
  call: Call,
) => AsyncIterable<MessageInitShape<typeof RangeResponseSchema>>

/** A bounded watch with one answer. Keys and revisions mean what they mean in a WatchCreateRequest. */
export interface LongPollRequest {
  readonly key: Uint8Array
  readonly rangeEnd: Uint8Array
  /** 0n: from the next revision on. */
  readonly startRevision: bigint
  readonly prevKv: boolean
  readonly filters: readonly WatchCreateRequest_FilterType[]
  /** How long to wait for the first event, in milliseconds, before an empty answer. */
  readonly waitMs: number
}

/**
 * Either the events (none at the end of the wait), complete from the asked revision through `revision`, or the
 * revision to which the store was compacted past the asked one.
 */
export type LongPollAnswer =
  | { readonly revision: bigint; readonly events: MessageInitShape<typeof EventSchema>[] }
  | { readonly revision: bigint; readonly compactRevision: bigint }

export type LongPoll = (request: LongPollRequest, call: Call) => Promise<LongPollAnswer>

/**
 * Reads the store once, as any client's read would, and gives the alarms that are raised. Open to everyone, as
 * etcd's own check is. Fails with an EtcdError when the store can't be read.
 */
export type Health = (call: Call) => Promise<readonly MessageInitShape<typeof AlarmMemberSchema>[]>
