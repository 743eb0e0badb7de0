import { ETCD_ERRORS, EtcdError, GrpcCode } from '../../etcd/errors.ts'

const CODES: Readonly<Record<string, GrpcCode | undefined>> = GrpcCode

/**
 * The error behind a watch's `cancel_reason`: a gRPC error in Go's words, or the words alone of what is wrong with the
 * request.
 */
export function refusalOf(reason: string): EtcdError {
  const [, name = '', message = ''] = /^rpc error: code = (\w+) desc = (.*)$/s.exec(reason) ?? []
  const code = CODES[name]
  if (code !== undefined) return new EtcdError(code, message)
  if (reason === ETCD_ERRORS.Compacted[1]) return EtcdError.of('Compacted')
  return new EtcdError(GrpcCode.InvalidArgument, reason)
}
