import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
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

/** The KV service in the name of one caller: requests are plain objects, answers are whole messages. */
export class KvClient {
  readonly #kv: Services['kv']
  protected readonly call: Call

  constructor(kv: Services['kv'], call: Call) {
    this.#kv = kv
    this.call = call
  }

  /** Whether the answers are for one caller only. */
  get isPrivate(): boolean {
    return this.call.token !== undefined
  }

  async range(request: MessageInitShape<typeof RangeRequestSchema>): Promise<RangeResponse> {
    const range = implemented(this.#kv.range)
    return create(RangeResponseSchema, await range(create(RangeRequestSchema, request), this.call))
  }

  async put(request: MessageInitShape<typeof PutRequestSchema>): Promise<PutResponse> {
    const put = implemented(this.#kv.put)
    return create(PutResponseSchema, await put(create(PutRequestSchema, request), this.call))
  }

  async deleteRange(
    request: MessageInitShape<typeof DeleteRangeRequestSchema>,
  ): Promise<DeleteRangeResponse> {
    const deleteRange = implemented(this.#kv.deleteRange)
    return create(
      DeleteRangeResponseSchema,
      await deleteRange(create(DeleteRangeRequestSchema, request), this.call),
    )
  }

  async txn(request: MessageInitShape<typeof TxnRequestSchema>): Promise<TxnResponse> {
    const txn = implemented(this.#kv.txn)
    return create(TxnResponseSchema, await txn(create(TxnRequestSchema, request), this.call))
  }
}

function implemented<T>(method: T | undefined): T {
  if (method === undefined) throw new EtcdError(GrpcCode.Unimplemented, 'this needs the KV service')
  return method
}

/** The store's revision as an answer tells it. */
export function revisionOf({ header }: { header?: ResponseHeader | undefined }): bigint {
  if (header === undefined) throw new Error('an answer of the KV service has no header')
  return header.revision
}
