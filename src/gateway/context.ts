import type { Environment } from '../environment.ts'
import type { Instruments } from '../observe/instruments.ts'
import type { Services } from '../service/services.ts'
import type { Origins } from './cors.ts'

/** What the gateway works with: one for the life of a Node server, one a request in a Worker. */
export interface Context {
  readonly services: Services
  readonly environment: Environment
  readonly instruments: Instruments
  /** The largest message that etcd's gRPC server would let in, in bytes of protobuf. */
  readonly messageBytesMax: number
  /** A unary call that takes this long, in milliseconds, is logged; 0: none. */
  readonly warningUnaryMs: number
  /** Brings the metrics up to date that only the database knows; never fails, and never takes long. */
  sampleStore(): Promise<void>
  readonly origins: Origins
  /** etcd's `--host-whitelist`: the host names that requests without TLS may have; `*` among them stands for all. */
  readonly hosts: readonly string[]
}
