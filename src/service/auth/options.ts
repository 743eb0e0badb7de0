import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Store } from '../../store/store.ts'

export interface AuthOptions {
  readonly store: Store
  readonly environment: Environment
  /** etcd's --max-request-bytes. */
  readonly requestBytesMax: number
}

/**
 * Refuses to make a user or role whose name no index can hold (docs/adr/0002). Asking for one is fine, it never exists.
 * @throws EtcdError RequestTooLarge
 */
export function checkNameLength(name: string): void {
  if (Buffer.byteLength(name) > LIMITS.authNameBytesMax) throw EtcdError.of('RequestTooLarge')
}
