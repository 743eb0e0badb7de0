import * as z from 'zod/mini'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import type { RpcRequest } from '../../rpc/request.ts'
import { readBytesFormOfGet } from '../bytes-form.ts'
import type { BytesForm } from '../json/index.ts'
import { readParameters, toWatchQuery, WATCH_PARAMETERS, type WatchQuery } from '../watch-query.ts'

/** The id of the event that says that the position is compacted: whoever comes back with it is told to stop. */
export const COMPACTED_ID = 'compacted'

/** The highest revision that something can come after. */
const REVISION_MAX = 2n ** 63n - 2n

const EventsParameters = z.object({
  ...WATCH_PARAMETERS,
  /** Read by `queryToken`. */
  access_token: z.optional(z.string()),
})

/** What an EventSource asks for, now or again. */
export interface EventsQuery {
  readonly watch: WatchQuery
  /** How keys and values are written, in what was asked and in the events. */
  readonly form: BytesForm
  /** It was connected before, and will connect again when this connection ends. */
  readonly resumes: boolean
}

/**
 * Reads the query of an event stream: a watch's, which the id of the last event moves on. Gives undefined when that
 * id says that there is nothing to go on with. Fails with InvalidArgument.
 */
export function readEventsQuery(request: RpcRequest, parameters: URLSearchParams): EventsQuery | undefined {
  const form = readBytesFormOfGet(request)
  const watch = toWatchQuery(readParameters(EventsParameters, parameters, form))
  const id = request.header('last-event-id') ?? ''
  if (id === '') return { watch, form, resumes: false }
  if (id === COMPACTED_ID) return undefined
  const revision = /^\d{1,19}$/.test(id) ? BigInt(id) : undefined
  if (revision === undefined || revision > REVISION_MAX) {
    const message = `invalid value for Last-Event-ID: ${JSON.stringify(id)}`
    throw new EtcdError(GrpcCode.InvalidArgument, message)
  }
  return { watch: { ...watch, startRevision: revision + 1n }, form, resumes: true }
}

/**
 * The token of the query (RFC 6750, 2.3), for requests without one in their headers: an EventSource can't send headers.
 * URLs end up in logs and histories, so no other door takes a token there.
 */
export function queryToken(parameters: URLSearchParams): string | undefined {
  return parameters.get('access_token') ?? undefined
}
