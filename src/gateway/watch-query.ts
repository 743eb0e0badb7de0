/** A watch asked for in the query of a URL: the fields of etcd's create_request, by their names. */
import * as z from 'zod/mini'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { WatchCreateRequest_FilterType as FilterType } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { LongPollRequest } from '../service/services.ts'
import { decodeBase64, encodeBase64 } from './json/base64.ts'
import { decodeUtf8, encodeUtf8 } from './json/characters.ts'
import type { BytesForm } from './json/index.ts'

const REPLACEMENT = '\ufffd'

/** Which keys, from where on, and what of each event. */
export type WatchQuery = Omit<LongPollRequest, 'waitMs'>

const Base64 = z.pipe(
  z.string(),
  z.transform((text, context) => {
    // An unescaped + is a space in a query.
    const bytes = decodeBase64(text.replaceAll(' ', '+'))
    if (bytes === undefined) context.issues.push({ code: 'custom', input: text })
    return bytes ?? new Uint8Array(0)
  }),
)

/** The decimal digits of an int64. */
export const Int64 = z.pipe(
  z.string().check(z.regex(/^-?\d{1,19}$/, { abort: true })),
  z.transform((digits, context) => {
    const value = BigInt(digits)
    if (BigInt.asIntN(64, value) !== value) context.issues.push({ code: 'custom', input: digits })
    return value
  }),
)

/** The parameters of a watch; for a schema that may have more. */
export const WATCH_PARAMETERS = {
  key: z._default(Base64, new Uint8Array(0)),
  range_end: z._default(Base64, new Uint8Array(0)),
  start_revision: z._default(Int64, 0n),
  prev_kv: z._default(z.enum(['true', 'false']), 'false'),
  filters: z._default(z.array(z.enum(['NOPUT', 'NODELETE'])), []),
}

const WatchParameters = z.object(WATCH_PARAMETERS)

/** Reads the parameters by a schema; those that it doesn't know are ignored. Fails with InvalidArgument. */
export function readParameters<S extends z.ZodMiniType>(
  schema: S,
  parameters: URLSearchParams,
  form: BytesForm,
): z.output<S> {
  const given: Record<string, string> = Object.fromEntries(parameters)
  if (form === 'utf8') for (const name of ['key', 'range_end']) toBase64(given, name)
  const filters = parameters.getAll('filters')
  const parsed = schema.safeParse(filters.length === 0 ? given : { ...given, filters })
  if (parsed.success) return parsed.data
  const name = String(parsed.error.issues[0]?.path[0])
  throw invalid(name, given[name])
}

function invalid(name: string, value: unknown): EtcdError {
  return new EtcdError(GrpcCode.InvalidArgument, `invalid value for ${name}: ${JSON.stringify(value)}`)
}

/** Brings bytes from the readable form to etcd's. Fails with InvalidArgument. */
function toBase64(given: Record<string, string>, name: string): void {
  const { [name]: text, [`${name}_base64`]: base64 } = given
  if (text !== undefined) {
    if (base64 !== undefined) throw invalid(`${name}_base64`, base64)
    // It may have been bytes that are no UTF-8, for which URLs put this.
    if (text.includes(REPLACEMENT)) throw invalid(name, text)
    given[name] = encodeBase64(encodeUtf8(text))
  } else if (base64 !== undefined) {
    given[name] = base64
  }
}

/** A text of the readable form as a parameter's value; undefined where only base64 says what the bytes are. */
export function textParameter(bytes: Uint8Array): string | undefined {
  const text = decodeUtf8(bytes)
  return text?.includes(REPLACEMENT) ? undefined : text
}

/** What the parameters of a watch ask for. */
export function toWatchQuery(parameters: z.output<typeof WatchParameters>): WatchQuery {
  const { key, range_end: rangeEnd, start_revision: startRevision, prev_kv } = parameters
  const filters = parameters.filters.map((name) => FilterType[name])
  return { key, rangeEnd, startRevision, prevKv: prev_kv === 'true', filters }
}

/** Reads a watch from the query of a URL. Unknown parameters are ignored. Fails with InvalidArgument. */
export function readWatchQuery(parameters: URLSearchParams, form: BytesForm): WatchQuery {
  return toWatchQuery(readParameters(WatchParameters, parameters, form))
}
