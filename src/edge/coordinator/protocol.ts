/**
 * What a Worker's requests and their coordinator say to each other: calls of Cloudflare's RPC, whose arguments and answers
 * are data that can be cloned.
 */
import type { GrpcCode } from '../../etcd/errors.ts'
import type { HubQuery, TakePage } from '../../service/watch/hub.ts'
import type { CompiledWrite, CompiledWriteAnswer } from '../../store/coordinated-writes.ts'
import type { EventPage } from '../../store/event-log.ts'

export interface CoordinatorRpc {
  /** Runs a write in a batch with those of others. Never fails by itself: a failure is an answer. */
  write(write: CompiledWrite): Promise<CompiledWriteAnswer>
  /** As `Hub.next`, but that a failure is an answer; `waiter` is a name for the call, which `leave` can end. */
  next(query: HubQuery, waitMs: number, waiter: string): Promise<NextAnswer>
  /** As `Hub.follow`, in the same way. `take` is called over there; where that fails, whoever followed is gone. */
  follow(query: HubQuery, waiter: string, take: TakePage): Promise<FollowAnswer>
  /** Ends a call whose client has gone. */
  leave(waiter: string): Promise<void>
  state(): Promise<CoordinatorState>
}

export interface FollowAnswer {
  /** The error, as data: an EtcdError that is thrown over there is none any more when it is here. */
  readonly failed?: { readonly code: GrpcCode; readonly message: string }
}

export interface NextAnswer extends FollowAnswer {
  /** Without one, and without a failure, the log has to be read by whoever asks. */
  readonly page?: EventPage | undefined
}

/** What the coordinator has done since it began, and holds at the moment. */
export interface CoordinatorState {
  readonly batches: number
  readonly batchedRequests: number
  /** Writes that wait for the next batch. */
  readonly pendingWrites: number
  /** Those who wait for events. */
  readonly waiters: number
}
