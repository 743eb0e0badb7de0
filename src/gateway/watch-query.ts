/** A watch asked for in the query of a URL: the fields of etcd's create_request, by their names. */
import * as z from 'zod/mini'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { WatchCreateRequest_FilterType as FilterType } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { LongPollRequest } from '../service/services.ts'
import { type KeyRange, rangeOf, rangeOfPrefix } from '../service/watch/key-range.ts'
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

/** A parameter that is there or not: `?prefix`, `?prefix=true`. */
export const Flag = z.optional(z.enum(['', 'true', '1']))

/** The parameters of a watch; for a schema that has more. */
export const WATCH_PARAMETERS = {
  key: z.optional(Base64),
  range_end: z._default(Base64, new Uint8Array(0)),
  prefix: Flag,
  start_revision: z._default(Int64, 0n),
  prev_kv: z._default(z.enum(['true', 'false']), 'false'),
  filters: z._default(z.array(z.enum(['NOPUT', 'NODELETE'])), []),
  /** It has been read by then. */
  encoding: z.optional(z.string()),
}

const WatchParameters = z.object(WATCH_PARAMETERS)

const KEY_NOT_GIVEN = new EtcdError(
  GrpcCode.InvalidArgument,
  'key is not given; all keys are key=&prefix, and those that begin with app/ are key=app/&prefix&encoding=utf8',
)

/**
 * Reads the parameters by a schema. One that it doesn't know is refused: a watch for what nobody meant stays silent for
 * ever. Fails with InvalidArgument.
 */
export function readParameters<S extends z.ZodMiniObject>(
  schema: S,
  parameters: URLSearchParams,
  form: BytesForm,
): z.output<S> {
  const given: Record<string, string> = Object.fromEntries(parameters)
  if (form === 'utf8') for (const name of BYTES) toBase64(given, name)
  const names = Object.keys(schema.def.shape)
  for (const name in given) if (!names.includes(name)) throw unknown(name, names, form)
  const filters = parameters.getAll('filters')
  const parsed = schema.safeParse(filters.length === 0 ? given : { ...given, filters })
  if (parsed.success) return parsed.data
  const name = String(parsed.error.issues[0]?.path[0])
  throw invalid(name, given[name])
}

const BYTES = ['key', 'range_end'] as const

function unknown(name: string, names: readonly string[], form: BytesForm): EtcdError {
  const known = form === 'utf8' ? [...names, ...BYTES.map((bytes) => `${bytes}_base64`)] : names
  const message = `unknown parameter ${JSON.stringify(name)}; there are ${known.join(', ')}`
  return new EtcdError(GrpcCode.InvalidArgument, message)
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
    delete given[`${name}_base64`]
  }
}

/** A text of the readable form as a parameter's value; undefined where only base64 says what the bytes are. */
export function textParameter(bytes: Uint8Array): string | undefined {
  const text = decodeUtf8(bytes)
  return text?.includes(REPLACEMENT) ? undefined : text
}

/** What the parameters of a watch ask for. Fails with InvalidArgument when they name no keys. */
export function toWatchQuery(parameters: z.output<typeof WatchParameters>): WatchQuery {
  const { start_revision: startRevision, prev_kv } = parameters
  const filters = parameters.filters.map((name) => FilterType[name])
  return { ...rangeIn(parameters), startRevision, prevKv: prev_kv === 'true', filters }
}

/** An empty key is the smallest one for etcd, where a range begins. Alone it is a slip: a variable that has no value. */
function rangeIn({ key, range_end: rangeEnd, prefix }: z.output<typeof WatchParameters>): KeyRange {
  if (prefix !== undefined && rangeEnd.length > 0) {
    throw new EtcdError(GrpcCode.InvalidArgument, 'prefix says where the range ends: leave out range_end')
  }
  if (key === undefined) throw KEY_NOT_GIVEN
  if (prefix !== undefined) return rangeOfPrefix(key)
  if (key.length === 0 && rangeEnd.length === 0) throw KEY_NOT_GIVEN
  return rangeOf(key, rangeEnd)
}
