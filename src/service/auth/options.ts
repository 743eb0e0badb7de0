import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { Store } from '../../store/store.ts'
import type { Access } from './access.ts'
import type { Tokens } from './tokens.ts'

export interface AuthOptions {
  /** Asked in the server's own name. */
  readonly store: Store
  readonly access: Access
  readonly tokens: Tokens
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
