/**
 * The bounded watch: one answer, as soon as there is an event at or after a revision, or an empty one at the end of
 * the wait. `POST /v3/watch` with `Prefer: wait=N` takes the body of a watch; `GET /v3/watch?...&wait=N` is for
 * caches and browsers. Every answer names where to go on in `Link: rel="next"`.
 */

import { EtcdError } from '../etcd/errors.ts'
import { WatchResponseSchema } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { toEtcdError } from '../rpc/failure.ts'
import { readTimeout } from '../rpc/lifetime.ts'
import { type RpcRequest, withCall } from '../rpc/request.ts'
import type { LongPollAnswer } from '../service/services.ts'
import { type Answer, NO_STORE, RPC_HEADERS } from './answer.ts'
import type { Context } from './context.ts'
import { errorAnswer } from './errors.ts'
import { encodeJson } from './json/index.ts'
import { canonicalPath, type LongPollQuery } from './long-poll-query.ts'

/** How long an answer with events may be kept. It stays true, but the store may be replaced by another. */
const EVENTS_MAX_AGE_SECONDS = 3600

/** This part of each wait is left to chance, so that those who began together don't all come back together. */
const WAIT_JITTER = 0.1

/** Answers a long poll. `read` gives the query and fails with InvalidArgument. Never fails: a failure is an answer. */
export async function answerLongPoll(
  method: 'GET' | 'POST',
  request: RpcRequest,
  read: () => LongPollQuery | Promise<LongPollQuery>,
  { services, environment }: Context,
): Promise<Answer> {
  try {
    const timeoutMs = readTimeout(request.header('grpc-timeout'))
    const query = await read()
    const waitMs = query.waitSeconds * 1000 * (1 - WAIT_JITTER * environment.random.fraction())
    return await withCall(request, timeoutMs, environment.clock, async (call) => {
      const answer = await services.longPoll({ ...query.request, waitMs }, call)
      if ('compactRevision' in answer) return compacted(answer.compactRevision)
      const keep = method === 'GET' && call.token === undefined ? cacheControl(query, answer) : undefined
      return success(query, answer, keep ?? (call.token === undefined ? 'no-store' : 'private, no-store'))
    })
  } catch (thrown) {
    const refused = errorAnswer(toEtcdError(thrown, environment.log))
    return { ...refused, headers: { ...refused.headers, ...NO_STORE } }
  }
}

type Events = Extract<LongPollAnswer, { events: unknown }>

function success(query: LongPollQuery, { revision, events }: Events, cacheControl: string): Answer {
  const headers = {
    ...RPC_HEADERS,
    'Cache-Control': cacheControl,
    Link: `<${canonicalPath(nextQuery(query, revision))}>; rel="next"`,
    'Preference-Applied': `wait=${query.waitSeconds}`,
  }
  return {
    status: 200,
    headers,
    body: encodeJson(WatchResponseSchema, { header: { revision }, events }, query.form),
  }
}

/**
 * Without a start revision the same URL means another thing each time. An empty answer is kept for a moment, so that
 * those who queue behind its wait are answered with it. A cache may give out no answer for longer while the server
 * fails, as some do unasked.
 */
function cacheControl(query: LongPollQuery, { events }: Events): string | undefined {
  if (query.request.startRevision === 0n) return undefined
  const maxAgeSeconds = events.length > 0 ? EVENTS_MAX_AGE_SECONDS : 1
  return `public, max-age=${maxAgeSeconds}, must-revalidate`
}

/** Where to go on: never before the asked position, and never at the same URL. */
function nextQuery(query: LongPollQuery, revision: bigint): LongPollQuery {
  const { startRevision } = query.request
  const next = revision + 1n > startRevision ? revision + 1n : startRevision
  const request = { ...query.request, startRevision: next }
  return { ...query, request, cursor: next === startRevision ? query.cursor + 1 : 0 }
}

function compacted(compactRevision: bigint): Answer {
  const refused = errorAnswer(EtcdError.of('Compacted'), { compact_revision: String(compactRevision) })
  return { ...refused, headers: { ...refused.headers, ...NO_STORE } }
}
