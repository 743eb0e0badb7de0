import type { MessageInitShape } from '@bufbuild/protobuf'
import { WatchResponseSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { type BytesForm, encodeJson } from '../json/index.ts'

export type WatchMessage = MessageInitShape<typeof WatchResponseSchema>

/** The names of events. Those that carry changes have none, so that `onmessage` takes them. */
export type EventName = 'created' | 'progress' | 'compacted' | 'failed'

/** Written between events while nothing happens: clients ignore it, and proxies see that somebody is there. */
export const HEARTBEAT = ':\n\n'

/** How long the client is to wait before it connects again; beside an event, or alone. */
export function retryField(ms: number): string {
  return `retry: ${Math.round(ms)}\n`
}

/**
 * An event about the store through `revision`, which is its id too: whoever comes back with it has seen all up to
 * there. The data is what a long poll answers.
 */
export function revisionEvent(
  name: EventName | undefined,
  revision: bigint,
  rest: Pick<WatchMessage, 'created' | 'events'> = {},
  form: BytesForm = 'base64',
): string {
  const data = encodeJson(WatchResponseSchema, { header: { revision }, ...rest }, form)
  return event(name, String(revision), data)
}

/** An event without changes. Without an id the client keeps the one that it has. `data` is one line. */
export function event(name: EventName | undefined, id: string | undefined, data: string): string {
  const fields = [
    ...(name === undefined ? [] : [`event: ${name}\n`]),
    ...(id === undefined ? [] : [`id: ${id}\n`]),
  ]
  return `${fields.join('')}data: ${data}\n\n`
}
