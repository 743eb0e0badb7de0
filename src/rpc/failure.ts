import type { Log } from '../environment.ts'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'

/** What a client may see of anything thrown. What isn't an EtcdError is our own fault: it is logged, not shown. */
export function toEtcdError(thrown: unknown, log: Log): EtcdError {
  if (thrown instanceof EtcdError) return thrown
  log('error', 'a request failed in a way that nobody foresaw', { error: describe(thrown) })
  return new EtcdError(GrpcCode.Internal, 'edgetcd: internal error', { cause: thrown })
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}
