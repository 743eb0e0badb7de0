import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  Compare_CompareTarget as CompareTarget,
  LeaseGrantRequestSchema,
  LeaseGrantResponseSchema,
  type TxnRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { NEVER } from '../../never.ts'
import type { Call } from '../call.ts'
import { KvClient } from '../kv/client.ts'
import type { Foundation } from './foundation.ts'

/** etcd's: how long a lease lives, in seconds, that is granted to a call without one. Nobody keeps it alive. */
const SESSION_TTL = 60n

/** The services underneath, in the name of one caller. */
export class Client extends KvClient {
  readonly #services: Pick<Foundation, 'kv' | 'lease'>

  constructor(services: Pick<Foundation, 'kv' | 'lease'>, call: Call) {
    super(services.kv, call)
    this.#services = services
  }

  /** The same caller for what has to be done although the call has ended. */
  outlivingTheCall(): Client {
    return new Client(this.#services, { ...this.call, signal: NEVER })
  }

  /** The lease that a call works with: the one that it names, or else a new one. */
  async leaseOf(named: bigint): Promise<bigint> {
    if (named !== 0n) return named
    const request = create(LeaseGrantRequestSchema, { TTL: SESSION_TTL })
    const granted = await this.#services.lease.leaseGrant(request, this.call)
    return create(LeaseGrantResponseSchema, granted).ID
  }
}

/** Holds while the key is in the life that began at the revision; 0n: while there is no such key. */
export function isCreatedAt(
  key: Uint8Array,
  createRevision: bigint,
): NonNullable<MessageInitShape<typeof TxnRequestSchema>['compare']>[number] {
  return {
    key,
    target: CompareTarget.CREATE,
    targetUnion: { case: 'createRevision', value: createRevision },
  }
}
