import * as z from 'zod/mini'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import {
  WatchCreateRequest_FilterType as FilterType,
  WatchRequestSchema,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../etcd/limits.ts'
import { rangeOf } from '../service/watch/key-range.ts'
import type { BytesForm } from './json/index.ts'
import { decodeMessage } from './message.ts'
import {
  readParameters,
  textParameter,
  toWatchQuery,
  WATCH_PARAMETERS,
  type WatchQuery,
} from './watch-query.ts'

/** What is asked, and the words that only the HTTP side has. */
export interface LongPollQuery {
  readonly request: WatchQuery
  /** How keys and values are written, in what was asked and in the answer. */
  readonly form: BytesForm
  readonly waitSeconds: number
  /** Counts the empty answers at one position, so that each wait has a URL of its own. */
  readonly cursor: number
}

/** The seconds of a `Prefer: wait=N` header (RFC 7240): the default without a number, undefined without `wait`. */
export function preferredWait(prefer: string | undefined): number | undefined {
  for (const preference of prefer?.split(',') ?? []) {
    const [token = ''] = preference.split(';', 1)
    const [name = '', ...value] = token.split('=')
    const digits = /^"?(\d*)"?$/.exec(value.join('=').trim())?.[1]
    if (name.trim().toLowerCase() === 'wait' && digits !== undefined) return waitSeconds(digits)
  }
  return undefined
}

function waitSeconds(digits: string): number {
  return digits === '' ? LIMITS.waitDefaultSeconds : Math.min(Number(digits), LIMITS.waitMaxSeconds)
}

/** Reads the body of `POST /v3/watch`. Fails with InvalidArgument when it doesn't create a watch. */
export function readLongPollBody(
  body: Uint8Array,
  seconds: number,
  messageBytesMax: number,
  form: BytesForm,
): LongPollQuery {
  const { requestUnion } = decodeMessage(WatchRequestSchema, body, messageBytesMax, form)
  if (requestUnion.case !== 'createRequest') {
    throw new EtcdError(GrpcCode.InvalidArgument, 'a wait needs a create_request')
  }
  const { key, rangeEnd, startRevision, prevKv, filters } = requestUnion.value
  const request = { ...rangeOf(key, rangeEnd), startRevision, prevKv, filters }
  return { request, form, waitSeconds: seconds, cursor: 0 }
}

const LongPollParameters = z.object({
  ...WATCH_PARAMETERS,
  wait: z.pipe(z.string().check(z.regex(/^\d*$/)), z.transform(waitSeconds)),
  cursor: z._default(z.pipe(z.string().check(z.regex(/^\d{1,9}$/)), z.transform(Number)), 0),
})

/**
 * Reads the query of `GET /v3/watch`: a watch, `wait` and `cursor`. An `access_token` is left to server-sent events, and
 * isn't looked at. Fails with InvalidArgument.
 */
export function readLongPollParameters(parameters: URLSearchParams, form: BytesForm): LongPollQuery {
  const own = new URLSearchParams(parameters)
  own.delete('access_token')
  const read = readParameters(LongPollParameters, own, form)
  return { request: toWatchQuery(read), form, waitSeconds: read.wait, cursor: read.cursor }
}

/** The one spelling of a query: parameters in fixed order, defaults left out, base64 as unpadded base64url. */
export function canonicalPath({ request, form, waitSeconds: wait, cursor }: LongPollQuery): string {
  const parameters = new URLSearchParams()
  if (form !== 'base64') parameters.set('encoding', form)
  parameters.set(...bytesParameter('key', request.key, form))
  if (request.rangeEnd.length > 0) parameters.set(...bytesParameter('range_end', request.rangeEnd, form))
  if (request.startRevision !== 0n) parameters.set('start_revision', String(request.startRevision))
  if (request.prevKv) parameters.set('prev_kv', 'true')
  for (const filter of request.filters) parameters.append('filters', FilterType[filter])
  parameters.set('wait', String(wait))
  if (cursor > 0) parameters.set('cursor', String(cursor))
  return `/v3/watch?${parameters}`
}

function bytesParameter(name: string, bytes: Uint8Array, form: BytesForm): [name: string, value: string] {
  const text = form === 'utf8' ? textParameter(bytes) : undefined
  if (text !== undefined) return [name, text]
  return [form === 'utf8' ? `${name}_base64` : name, toBase64Url(bytes)]
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}
