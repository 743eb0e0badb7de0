import type { Environment } from '../environment.ts'
import type { Instruments } from '../observe/instruments.ts'
import type { Services } from '../service/services.ts'

/** What every transport works with: one for the life of a Node server, one a request in a Worker. */
export interface RpcContext {
  readonly services: Services
  readonly environment: Environment
  readonly instruments: Instruments
  /** The largest message that etcd's gRPC server would let in, in bytes of protobuf. */
  readonly messageBytesMax: number
  /** A unary call that takes this long, in milliseconds, is logged; 0: none. */
  readonly warningUnaryMs: number
}
