import type { MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError } from '../../etcd/errors.ts'
import type {
  KV,
  RangeRequest,
  RangeResponseSchema,
  RangeStreamResponseSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { RangePart } from '../../store/range-parts.ts'
import { hasFilters, isSorted } from '../../store/select.ts'
import type { Implementation, RangeInChunks } from '../services.ts'
import { checkRange } from './check.ts'

type RangeChunk = MessageInitShape<typeof RangeResponseSchema>

/** What the chunks are made of. */
export interface RangeSource {
  /** Answers a whole range. */
  range(request: RangeRequest): Promise<RangeChunk>
  /** Reads the first part of a range. */
  part(request: RangeRequest): Promise<Omit<RangePart, 'head'> & Pick<RangeChunk, 'header'>>
}

/**
 * Answers a Range in chunks, each read when the last was taken, all of one revision: what they hold together is what the
 * Range would have answered. The header is in the first, count and more in the last, as in etcd 3.7's RangeStream. Orders
 * other than by ascending key, and revision filters, are refused as there.
 * @throws EtcdError RangeStreamSort, RangeStreamFilters; Compacted, also when the revision is compacted meanwhile
 */
export async function* rangeChunks(
  request: RangeRequest,
  source: RangeSource,
): AsyncGenerator<RangeChunk, void, undefined> {
  checkRange(request)
  if (isSorted(request)) throw EtcdError.of('RangeStreamSort')
  if (hasFilters(request)) throw EtcdError.of('RangeStreamFilters')
  // Such an answer is small whatever the range holds.
  if (request.countOnly || request.rangeEnd.length === 0) yield await source.range(request)
  else yield* parts(request, source)
}

/** etcd 3.7's RangeStream, of a range in chunks: there all but the keys is in the last message. */
export function rangeStreamOf(rangeInChunks: RangeInChunks): Implementation<typeof KV>['rangeStream'] {
  return async function* (requests, call) {
    for await (const request of requests) yield* headerLast(rangeInChunks(request, call))
  }
}

async function* headerLast(
  chunks: AsyncIterable<RangeChunk>,
): AsyncGenerator<MessageInitShape<typeof RangeStreamResponseSchema>, void, undefined> {
  let header: RangeChunk['header']
  let last: Pick<RangeChunk, 'kvs' | 'count' | 'more'> | undefined
  for await (const { header: found, kvs = [], count = 0n, more = false } of chunks) {
    if (last !== undefined) yield { rangeResponse: last }
    header ??= found
    last = { kvs, count, more }
  }
  if (last !== undefined) yield { rangeResponse: { ...last, ...(header && { header }) } }
}

async function* parts(
  request: RangeRequest,
  source: RangeSource,
): AsyncGenerator<RangeChunk, void, undefined> {
  const isLimited = request.limit > 0n
  let count = 0n
  for (let rest = request; ; ) {
    const { header, kvs, next, revision } = await source.part(rest)
    const chunk = rest === request && header !== undefined ? { header, kvs } : { kvs }
    count += BigInt(kvs.length)
    if (next === undefined) {
      yield { ...chunk, count }
      return
    }
    rest = { ...request, key: next, revision, limit: isLimited ? request.limit - count : 0n }
    if (isLimited && rest.limit === 0n) {
      const { count: beyond = 0n } = await source.range({ ...rest, countOnly: true })
      yield { ...chunk, count: count + beyond, more: beyond > 0n }
      return
    }
    yield chunk
  }
}
