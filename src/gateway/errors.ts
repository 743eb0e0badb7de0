import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { type Answer, json } from './answer.ts'

/** The gateway's HTTP status of each gRPC code. */
const HTTP_STATUS: Readonly<Record<GrpcCode, number>> = {
  [GrpcCode.Canceled]: 499,
  [GrpcCode.Unknown]: 500,
  [GrpcCode.InvalidArgument]: 400,
  [GrpcCode.DeadlineExceeded]: 504,
  [GrpcCode.NotFound]: 404,
  [GrpcCode.AlreadyExists]: 409,
  [GrpcCode.PermissionDenied]: 403,
  [GrpcCode.ResourceExhausted]: 429,
  [GrpcCode.FailedPrecondition]: 400,
  [GrpcCode.Aborted]: 409,
  [GrpcCode.OutOfRange]: 400,
  [GrpcCode.Unimplemented]: 501,
  [GrpcCode.Internal]: 500,
  [GrpcCode.Unavailable]: 503,
  [GrpcCode.DataLoss]: 500,
  [GrpcCode.Unauthenticated]: 401,
}

export const NOT_FOUND = new EtcdError(GrpcCode.NotFound, 'Not Found')
export const METHOD_NOT_ALLOWED = new EtcdError(GrpcCode.Unimplemented, 'Method Not Allowed')

/** The answer of a unary RPC that failed. `details` are further members of the body. */
export function errorAnswer(error: EtcdError, details: Readonly<Record<string, string>> = {}): Answer {
  const { code, message } = error
  const headers = code === GrpcCode.Unauthenticated ? { 'WWW-Authenticate': message } : {}
  return json(HTTP_STATUS[code], errorBody(error, details), headers)
}

/**
 * The JSON of an error: `code` and `message` as etcd 3.6 has them, and `error`, equal to the message, which etcd up to
 * 3.5 had and older clients still read.
 */
export function errorBody(
  { code, message }: EtcdError,
  details: Readonly<Record<string, string>> = {},
): string {
  return JSON.stringify({ error: message, code, message, ...details })
}

/** The answer of a streaming RPC that failed before its first message: the status of the code, one error line. */
export function streamErrorAnswer(error: EtcdError): Answer {
  return json(HTTP_STATUS[error.code], streamErrorLine(error))
}

/** The last line of a stream that failed after its first message. */
export function streamErrorLine({ code, message }: EtcdError): string {
  return `${JSON.stringify({ error: { code, message } })}\n`
}
