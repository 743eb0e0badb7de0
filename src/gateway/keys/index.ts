/**
 * Keys as plain HTTP: `GET`, `HEAD`, `PUT` and `DELETE` of `/keys/<key>`, with the value's bytes as the body and the
 * key's mod_revision as its ETag. docs/keys.md is the reference.
 */
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { toEtcdError } from '../../rpc/failure.ts'
import { readTimeout } from '../../rpc/lifetime.ts'
import type { HeaderReader } from '../../rpc/request.ts'
import { withCall } from '../../rpc/request.ts'
import { KvClient } from '../../service/kv/client.ts'
import { type Answer, NO_STORE } from '../answer.ts'
import { bodyBytesMaxOf, readBody } from '../body.ts'
import type { Context } from '../context.ts'
import { bodyOf, toRpcRequest } from '../fetch.ts'
import type { Target } from '../target.ts'
import { Int64 } from '../watch-query.ts'
import { readReadAddress, readWriteAddress } from './address.ts'
import { readConditions } from './conditions.ts'
import { SAFE_HEADERS } from './headers.ts'
import { listKeys } from './list.ts'
import { readKey } from './read.ts'
import { KEY_TOO_LONG, METHOD_NOT_ALLOWED_ON_KEYS, refusal } from './refusals.ts'
import { deleteKey, type KeyPut, putKey } from './write.ts'

type KeyTarget = Extract<Target, { kind: 'key' }>
type Work = (kv: KvClient) => Promise<Answer>

/** Answers a request for a target under /keys/. Never fails: a failure is an answer. */
export async function answerKey(request: Request, target: KeyTarget, context: Context): Promise<Answer> {
  const answer = await tryAnswer(request, target, context)
  const headers = { ...SAFE_HEADERS, ...NO_STORE, ...answer.headers }
  return { ...answer, headers }
}

async function tryAnswer(request: Request, target: KeyTarget, context: Context): Promise<Answer> {
  const { services, environment } = context
  const rpcRequest = toRpcRequest(request)
  try {
    const timeoutMs = readTimeout(rpcRequest.header('grpc-timeout'))
    const work = await readWork(request, rpcRequest.header, target, bodyBytesMaxOf(context))
    if (work === undefined) return METHOD_NOT_ALLOWED_ON_KEYS
    return await withCall(rpcRequest, timeoutMs, environment.clock, (call) =>
      work(new KvClient(services.kv, call)),
    )
  } catch (thrown) {
    return refusal(toEtcdError(thrown, environment.log), context)
  }
}

/** What is to be done; undefined for a method that keys don't have. Fails with InvalidArgument, or as its body does. */
async function readWork(
  request: Request,
  header: HeaderReader,
  { path, query }: KeyTarget,
  bodyBytesMax: number,
): Promise<Work | undefined> {
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      const address = readReadAddress(path, query)
      const { key, revision, list } = address
      if (list !== undefined) return (kv) => listKeys(key, revision, list, kv)
      const conditions = readConditions(header)
      return (kv) => readKey(address, conditions, kv)
    }
    case 'PUT': {
      const { key } = readWriteAddress(path, query)
      const conditions = readConditions(header)
      const put = await readPut(key, header, bodyOf(request), bodyBytesMax)
      return (kv) => putKey(put, conditions, kv)
    }
    case 'DELETE': {
      const { key } = readWriteAddress(path, query)
      const conditions = readConditions(header)
      return (kv) => deleteKey(key, conditions, kv)
    }
    default:
      return undefined
  }
}

async function readPut(
  key: Uint8Array,
  header: HeaderReader,
  body: AsyncIterable<Uint8Array>,
  bodyBytesMax: number,
): Promise<KeyPut> {
  if (key.length > LIMITS.keyBytesMax) throw KEY_TOO_LONG
  // RFC 9110, 14.5: a part must not be taken for the whole.
  if (header('content-range') !== undefined) throw invalid('a value is put as a whole')
  const lease = readLease(header('edgetcd-lease'))
  return { key, value: await readBody(body, bodyBytesMax), lease }
}

function readLease(value: string | undefined): bigint {
  if (value === undefined) return 0n
  const id = Int64.safeParse(value)
  if (!id.success) {
    throw invalid(`invalid Edgetcd-Lease header: ${JSON.stringify(value)} (a decimal lease id)`)
  }
  return id.data
}

function invalid(message: string): EtcdError {
  return new EtcdError(GrpcCode.InvalidArgument, message)
}
