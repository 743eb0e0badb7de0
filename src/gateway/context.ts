import type { RpcContext } from '../rpc/context.ts'
import type { Health } from '../service/services.ts'
import type { Origins } from './cors.ts'

/** What the gateway works with: one for the life of a Node server, one a request in a Worker. */
export interface Context extends RpcContext {
  /** Brings the metrics up to date that only the database knows; never fails, and never takes long. */
  sampleStore(): Promise<void>
  /** What the probes go by: the health of the store, unless something else is given. */
  readonly probed?: Health
  readonly origins: Origins
  /** etcd's `--host-whitelist`: the host names that requests without TLS may have; `*` among them stands for all. */
  readonly hosts: readonly string[]
}
