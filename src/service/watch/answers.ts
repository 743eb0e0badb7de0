import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  WatchCreateRequest_FilterType as FilterType,
  type WatchResponseSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { Event_EventType } from '../../etcd/generated/mvccpb/kv_pb.ts'
import type { LoggedEvent } from '../../store/event-log.ts'
import type { Identity, KeyValue } from '../../store/types.ts'

export type WatchAnswer = MessageInitShape<typeof WatchResponseSchema>

/** An mvccpb.Event, with every field that its size depends on. */
export interface EventAnswer {
  readonly type: Event_EventType
  readonly kv: KeyValue
  readonly prevKv?: KeyValue
}

/** A WatchResponse that carries events. */
export interface EventsAnswer {
  readonly header: Identity & { readonly revision: bigint }
  readonly watchId: bigint
  readonly fragment: boolean
  readonly events: EventAnswer[]
}

/** What a watch asked to see of an event. */
export interface View {
  readonly prevKv: boolean
  readonly filters: readonly FilterType[]
}

/** Whether the filters let the event through. Unknown filters mean nothing, as in etcd. */
export function isWanted(event: LoggedEvent, view: View): boolean {
  const hidden = event.type === 'PUT' ? FilterType.NOPUT : FilterType.NODELETE
  return !view.filters.includes(hidden)
}

/** The event as the watch is told of it: a previous value only when it asked for one. */
export function eventAnswer(event: LoggedEvent, view: View): EventAnswer {
  const answer = { type: Event_EventType[event.type], kv: event.kv }
  return view.prevKv && event.prevKv !== undefined ? { ...answer, prevKv: event.prevKv } : answer
}
