import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ResponseOpSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { counted } from '../../observe/counted.ts'
import type { OperationCounters } from '../../observe/instruments.ts'
import type { KvService } from '../services.ts'

/**
 * The same service, and its operations are counted as etcd counts those that its store has done: each of a transaction
 * for itself, and a transaction only when it did several.
 */
export function countOperations(kv: KvService, counters: OperationCounters): KvService {
  const { ranges, puts, deletes, txns } = counters

  /** Counts what a branch did; gives how many operations that were. */
  function countAll(responses: readonly MessageInitShape<typeof ResponseOpSchema>[]): number {
    let operations = 0
    for (const { response } of responses) {
      operations++
      switch (response?.case) {
        case 'responseRange':
          ranges.add(1)
          break
        case 'responsePut':
          puts.add(1)
          break
        case 'responseDeleteRange':
          deletes.add(1)
          break
        case 'responseTxn':
          operations += countAll(response.value.responses ?? []) - 1
          break
        case undefined:
          break
        default:
          response satisfies never
      }
    }
    return operations
  }

  return {
    ...kv,
    range: counted(kv.range, ranges),
    put: counted(kv.put, puts),
    deleteRange: counted(kv.deleteRange, deletes),
    async txn(request, call) {
      const answer = await kv.txn(request, call)
      if (countAll(answer.responses ?? []) > 1) txns.add(1)
      return answer
    },
    rangeInChunks(request, call) {
      ranges.add(1)
      return kv.rangeInChunks(request, call)
    },
    rangeStream(requests, call) {
      ranges.add(1)
      return kv.rangeStream(requests, call)
    },
  }
}
