/** Which key a request under /keys/ is about, and what its query asks for. */
import * as z from 'zod/mini'
import { bytesToString, stringToBytes } from '../../byte-string.ts'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { Flag, Int64 } from '../watch-query.ts'
import { decodePercent } from './percent.ts'

export interface WriteAddress {
  readonly key: Uint8Array
}

export interface ReadAddress extends WriteAddress {
  /** The revision to read at; now if it isn't above 0n. */
  readonly revision: bigint
  /** Asks for the list of keys that begin with the key, instead of its value. */
  readonly list?: ListQuery
}

export interface ListQuery {
  readonly limit: number
  /** Only keys behind this one. */
  readonly after: Uint8Array | undefined
}

const Bytes = z.pipe(z.string(), z.transform(stringToBytes))
const Limit = z.pipe(z.string().check(z.regex(/^[1-9]\d{0,8}$/)), z.transform(Number))

const WriteParameters = z.strictObject({ key: z.optional(Bytes) })
const ReadParameters = z.strictObject({
  key: z.optional(Bytes),
  revision: z._default(Int64, 0n),
  prefix: Flag,
  limit: z.optional(Limit),
  after: z.optional(Bytes),
})

/** Reads what a PUT or DELETE is about. Fails with InvalidArgument. */
export function readWriteAddress(path: string, query: string): WriteAddress {
  const { key } = readParameters(WriteParameters, query)
  return { key: readKey(path, key) }
}

/** Reads what a GET or HEAD is about. Fails with InvalidArgument. */
export function readReadAddress(path: string, query: string): ReadAddress {
  const { key, revision, prefix, limit, after } = readParameters(ReadParameters, query)
  const address = { key: readKey(path, key), revision }
  if (prefix !== undefined) {
    const most = Math.min(limit ?? LIMITS.keysPerPage, LIMITS.keysPerPageMax)
    return { ...address, list: { limit: most, after } }
  }
  if (limit !== undefined || after !== undefined) throw invalid('limit and after are for a list: add prefix')
  return address
}

/** The key of the path, or of the query where the path has none. */
function readKey(path: string, fromQuery: Uint8Array | undefined): Uint8Array {
  if (path === '') return fromQuery ?? new Uint8Array(0)
  if (fromQuery !== undefined) throw invalid('the key is given in the path already')
  const key = decodePercent(path)
  if (key === undefined) throw invalid(`invalid escape in ${JSON.stringify(path)}`)
  return key
}

/**
 * Reads the parameters of a query by a schema. Unlike elsewhere an unknown one is refused: it may be the rest of a key with
 * a question mark that wasn't escaped.
 */
function readParameters<S extends z.ZodMiniObject>(schema: S, query: string): z.output<S> {
  const given = new Map<string, string>()
  for (const parameter of query.slice(1).split('&')) {
    if (parameter === '') continue
    const [name = '', ...value] = parameter.split('=').map(decodeParameter)
    if (given.has(name)) throw invalid(`${name} is given twice`)
    given.set(name, value.join('='))
  }
  const parsed = schema.safeParse(Object.fromEntries(given))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  if (issue?.code === 'unrecognized_keys') {
    const [name = ''] = issue.keys
    const there = Object.keys(schema.def.shape).join(', ')
    const hint = HINTS.get(name) ?? `there are ${there}; a question mark in a key is written %3F`
    throw invalid(`unknown parameter ${JSON.stringify(name)}; ${hint}`)
  }
  const name = String(issue?.path[0])
  throw invalid(`invalid value for ${name}: ${JSON.stringify(given.get(name))}`)
}

/** What somebody may mean who gives a parameter that isn't there. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['prefix', 'nothing deletes or puts by a prefix here: POST /v3/kv/deleterange deletes'],
  ['access_token', 'the token goes into the Authorization header'],
  ['lease', 'the lease goes into the Edgetcd-Lease header'],
  ['encoding', 'a value is its bytes here, and a key is percent-encoded'],
])

/** A + is a space, as in every query. The result has one character a byte. */
function decodeParameter(text: string): string {
  const bytes = decodePercent(text.replaceAll('+', ' '))
  if (bytes === undefined) throw invalid(`invalid escape in ${JSON.stringify(text)}`)
  return bytesToString(bytes)
}

function invalid(message: string): EtcdError {
  return new EtcdError(GrpcCode.InvalidArgument, message)
}
