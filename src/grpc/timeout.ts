import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { UNIT_MS } from '../rpc/lifetime.ts'

/** Eight digits at the most, and the unit. */
const LENGTH_MAX = 9

/** Reads `grpc-timeout` into milliseconds; undefined when there is none. Gives an error in Go's words for what is none. */
export function readTimeout(text: string | undefined): number | undefined | EtcdError {
  if (text === undefined) return undefined
  const quoted = JSON.stringify(text)
  if (text.length < 2) return malformed(`transport: timeout string is too short: ${quoted}`)
  if (text.length > LENGTH_MAX) return malformed(`transport: timeout string is too long: ${quoted}`)
  const unitMs = UNIT_MS[text.slice(-1)]
  if (unitMs === undefined) return malformed(`transport: timeout unit is not recognized: ${quoted}`)
  const digits = text.slice(0, -1)
  if (!/^[0-9]+$/.test(digits)) {
    return malformed(`strconv.ParseUint: parsing ${JSON.stringify(digits)}: invalid syntax`)
  }
  return Number(digits) * unitMs
}

function malformed(message: string): EtcdError {
  return new EtcdError(GrpcCode.Internal, `malformed grpc-timeout: ${message}`)
}
