/**
 * A watch as server-sent events, for an EventSource in a browser: `GET /v3/watch?…` with `Accept: text/event-stream`.
 * The id of each event is a revision through which the client has seen everything, so that its `Last-Event-ID` says
 * where to go on: nothing is lost between two connections, and nothing comes twice.
 */
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { type RpcRequest, readToken } from '../../rpc/request.ts'
import type { StreamRpc } from '../../rpc/rpcs.ts'
import { STREAM_ENDED, StreamCall } from '../../rpc/stream-call.ts'
import { type Answer, empty, NO_STORE } from '../answer.ts'
import type { Context } from '../context.ts'
import { errorAnswer, errorBody } from '../errors.ts'
import type { BytesForm } from '../json/index.ts'
import { namesMediaType } from '../media-type.ts'
import { event, HEARTBEAT, retryField, revisionEvent, type WatchMessage } from './event.ts'
import { COMPACTED_ID, type EventsQuery, queryToken, readEventsQuery } from './query.ts'
import { refusalOf } from './refusal.ts'
import { watchRequests } from './requests.ts'
import { ticksUntil } from './ticks.ts'

const MEDIA_TYPE = 'text/event-stream'
const HEADERS = { 'Content-Type': MEDIA_TYPE, 'Content-Encoding': 'identity', ...NO_STORE }

/** Whether a client takes server-sent events. An EventSource takes nothing else. */
export function acceptsEvents(accept: string | undefined): boolean {
  return namesMediaType(accept, MEDIA_TYPE)
}

/**
 * Opens the watch of a query as a stream of events. Never fails: until the watch is there a failure is an answer of its
 * own, and later the last event.
 */
export async function answerServerSentEvents(
  rpc: StreamRpc,
  request: RpcRequest,
  parameters: URLSearchParams,
  context: Context,
): Promise<Answer> {
  const stream = new StreamCall<WatchMessage>(rpc, request, context)
  let query: EventsQuery | undefined
  try {
    query = readEventsQuery(request, parameters)
    if (query === undefined) {
      stream.close('OK')
      return empty(204, NO_STORE)
    }
    const created = await open(stream, query, readToken(request) ?? queryToken(parameters), context)
    return { status: 200, headers: HEADERS, body: events(stream, query, created, context) }
  } catch (thrown) {
    return refused(stream.fail(thrown), query?.resumes ?? false, context)
  }
}

/** Creates the watch. Fails with an EtcdError when it is refused. */
async function open(
  stream: StreamCall<WatchMessage>,
  query: EventsQuery,
  token: string | undefined,
  { services, environment }: Context,
): Promise<WatchMessage> {
  await stream.open(
    (call) => services.watch.watch(watchRequests(query.watch, environment.clock, stream.signal), call),
    token,
  )
  const { done, value: created } = await stream.next()
  if (done) throw EtcdError.of('Stopped')
  if (created.canceled) throw refusalOf(created.cancelReason ?? '')
  return created
}

/**
 * A browser's EventSource gives up for good when it is answered with anything but 200. One that was connected before
 * shall outlive an outage, so it is told of that in an event, and comes back.
 */
function refused(error: EtcdError, resumes: boolean, context: Context): Answer {
  if (resumes && error.code === GrpcCode.Unavailable) {
    return { status: 200, headers: HEADERS, body: retry(context) + failedEvent(error) }
  }
  const answer = errorAnswer(error)
  return { ...answer, headers: { ...answer.headers, ...NO_STORE } }
}

async function* events(
  stream: StreamCall<WatchMessage>,
  { watch: { startRevision }, form }: EventsQuery,
  created: WatchMessage,
  context: Context,
): AsyncGenerator<string, void, undefined> {
  const { clock } = context.environment
  try {
    // A watch from the past has seen nothing yet of what lies between there and the store's revision.
    const position = startRevision === 0n ? (created.header?.revision ?? 0n) : startRevision - 1n
    yield retry(context) + revisionEvent('created', position, { created: true })
    for (;;) {
      const next = stream.next()
      for await (const _ of ticksUntil(next, LIMITS.serverSentHeartbeatMs, clock)) yield HEARTBEAT
      const message = await next
      if (message.done === true) break
      yield eventOf(message.value, form)
      if (message.value.canceled) break
    }
    stream.close('OK')
  } catch (thrown) {
    const error = stream.fail(thrown)
    if (error !== STREAM_ENDED) yield failedEvent(error)
  } finally {
    stream.close(GrpcCode.Canceled)
  }
}

/** One message of the watch. All events of a revision are in one, and the last ones' revision is complete with it. */
function eventOf(
  { header, events = [], canceled, compactRevision = 0n, cancelReason }: WatchMessage,
  form: BytesForm,
): string {
  const last = events.at(-1)?.kv?.modRevision
  if (last !== undefined) return revisionEvent(undefined, last, { events }, form)
  if (!canceled) return revisionEvent('progress', header?.revision ?? 0n)
  if (compactRevision === 0n) return failedEvent(refusalOf(cancelReason ?? ''))
  const details = { compact_revision: String(compactRevision) }
  return event('compacted', COMPACTED_ID, errorBody(EtcdError.of('Compacted'), details))
}

function failedEvent(error: EtcdError): string {
  return event('failed', undefined, errorBody(error))
}

/** Those whose connections ended together don't all come back together. */
function retry({ environment }: Context): string {
  return retryField(LIMITS.serverSentRetryMs * (1 + environment.random.fraction()))
}
