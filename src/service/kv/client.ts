import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  DeleteRangeRequestSchema,
  type DeleteRangeResponse,
  DeleteRangeResponseSchema,
  PutRequestSchema,
  type PutResponse,
  PutResponseSchema,
  RangeRequestSchema,
  type RangeResponse,
  RangeResponseSchema,
  type ResponseHeader,
  TxnRequestSchema,
  type TxnResponse,
  TxnResponseSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Call } from '../call.ts'
import type { Services } from '../services.ts'

/** What of the KV service it asks for. */
export type AskedOfKv = Pick<Services['kv'], 'range' | 'put' | 'deleteRange' | 'txn'>

/** The KV service in the name of one caller: requests are plain objects, answers are whole messages. */
export class KvClient {
  readonly #kv: AskedOfKv
  protected readonly call: Call

  constructor(kv: AskedOfKv, call: Call) {
    this.#kv = kv
    this.call = call
  }

  /** Whether the answers are for one caller only. */
  get isPrivate(): boolean {
    return this.call.token !== undefined
  }

  async range(request: MessageInitShape<typeof RangeRequestSchema>): Promise<RangeResponse> {
    return create(RangeResponseSchema, await this.#kv.range(create(RangeRequestSchema, request), this.call))
  }

  async put(request: MessageInitShape<typeof PutRequestSchema>): Promise<PutResponse> {
    return create(PutResponseSchema, await this.#kv.put(create(PutRequestSchema, request), this.call))
  }

  async deleteRange(
    request: MessageInitShape<typeof DeleteRangeRequestSchema>,
  ): Promise<DeleteRangeResponse> {
    return create(
      DeleteRangeResponseSchema,
      await this.#kv.deleteRange(create(DeleteRangeRequestSchema, request), this.call),
    )
  }

  async txn(request: MessageInitShape<typeof TxnRequestSchema>): Promise<TxnResponse> {
    return create(TxnResponseSchema, await this.#kv.txn(create(TxnRequestSchema, request), this.call))
  }
}

/** The store's revision as an answer tells it. */
export function revisionOf({ header }: { header?: ResponseHeader | undefined }): bigint {
  if (header === undefined) throw new Error('an answer of the KV service has no header')
  return header.revision
}
