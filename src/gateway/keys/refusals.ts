import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import type { KeyValue } from '../../etcd/generated/mvccpb/kv_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Answer } from '../answer.ts'
import { BodyTooLarge } from '../body.ts'
import type { Context } from '../context.ts'
import { errorAnswer, METHOD_NOT_ALLOWED } from '../errors.ts'
import { etagOf } from './conditions.ts'
import { type HeaderFields, revisionHeader } from './headers.ts'

export const KEY_TOO_LONG = new EtcdError(
  GrpcCode.InvalidArgument,
  `the key is longer than max (${LIMITS.keyBytesMax})`,
)

/** An error as everywhere else, but for what HTTP has a status of its own for, and with what helps under /keys/. */
export function refusal(error: EtcdError, { messageBytesMax }: Pick<Context, 'messageBytesMax'>): Answer {
  if (error === KEY_TOO_LONG) return { ...errorAnswer(error), status: 414 }
  if (error.is('EmptyKey')) return explained(error, '/keys/<key> is a key, and /keys/?prefix lists all')
  if (error instanceof BodyTooLarge || error.is('RequestTooLarge')) {
    const bytesMax = messageBytesMax - LIMITS.messageOverheadBytes
    const help = `a value, with its key and some bytes around them, may have ${bytesMax} (--max-request-bytes)`
    return { ...explained(error, help), status: 413 }
  }
  return errorAnswer(error)
}

function explained({ code, message }: EtcdError, help: string): Answer {
  return errorAnswer(new EtcdError(code, `${message}; ${help}`))
}

const KEY_NOT_FOUND = new EtcdError(GrpcCode.NotFound, 'key not found')

/** There was no such key at the revision. */
export function notFound(revision: bigint): Answer {
  return withHeaders(errorAnswer(KEY_NOT_FOUND), revisionHeader(revision))
}

/** If-Match or If-None-Match doesn't hold for the key as it was at the revision. */
export function preconditionFailed(revision: bigint, kv: KeyValue | undefined): Answer {
  const state = kv === undefined ? 'the key does not exist' : `the key is at ${etagOf(kv.modRevision)}`
  const answer = errorAnswer(new EtcdError(GrpcCode.FailedPrecondition, `precondition failed: ${state}`))
  const tag = kv === undefined ? {} : { ETag: etagOf(kv.modRevision) }
  return withHeaders({ ...answer, status: 412 }, { ...revisionHeader(revision), ...tag })
}

export const METHOD_NOT_ALLOWED_ON_KEYS: Answer = withHeaders(
  { ...errorAnswer(METHOD_NOT_ALLOWED), status: 405 },
  { Allow: 'GET, HEAD, PUT, DELETE, OPTIONS' },
)

function withHeaders(answer: Answer, headers: HeaderFields): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } }
}
